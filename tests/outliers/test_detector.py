"""The detector around anything that scores rows, and scikit-learn's word for it."""

import pickle
from dataclasses import fields
from inspect import signature

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from numpydoc.docscrape import ClassDoc
from sklearn.base import clone
from sklearn.callback import ProgressBar
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import KernelDensity
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder, StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from test_thresholds import FROZEN, FirstColumn, column

from skae import AutoencoderTransformer
from skae.outliers import AutoencoderOutlierDetector


@parametrize_with_checks(
    [
        AutoencoderOutlierDetector(),
        AutoencoderOutlierDetector(tiny(AutoencoderTransformer, 1)),
        AutoencoderOutlierDetector(PCA(1)),
        AutoencoderOutlierDetector(GaussianMixture(init_params="random_from_data")),
        AutoencoderOutlierDetector(make_pipeline(StandardScaler(), KernelDensity())),
    ],
    xfail_strict=True,
)
def test_scikit_learn(estimator, check):
    check(estimator)  # no expected failures, ever


class TestScores:
    @pytest.mark.parametrize("settings", [{}, {"contamination": 0.1}, {"false_alarm_rate": 0.1}])
    @pytest.mark.parametrize("bad", [np.nan, -np.inf, np.inf])
    def test_that_are_not_finite_give_no_threshold(self, settings, bad):
        X = column([1.0] * 50 + [bad] * 50)
        with pytest.raises(ValueError, match=rf"scores are .* row \d+'s, {bad}"):
            AutoencoderOutlierDetector(FirstColumn(), random_state=0, **settings).fit(X)

    def test_of_new_rows_may_be_minus_infinity_but_not_nan(self):
        detector = AutoencoderOutlierDetector(FirstColumn()).fit(column(range(9)))
        assert_array_equal(detector.predict([[-np.inf], [5]]), [-1, 1])
        for method in (detector.score_samples, detector.decision_function, detector.predict):
            with pytest.raises(ValueError, match=r"1 of 2 scores are NaN.* first is row 1's"):
                method([[5], [np.nan]])

    def test_are_those_of_the_wrapped_estimator(self, blobs):
        model = tiny(AutoencoderTransformer)
        detector = AutoencoderOutlierDetector(model).fit(blobs)
        scores = clone(model).fit(blobs).score_samples(blobs)
        assert_array_equal(detector.score_samples(blobs), scores)
        assert_array_equal(detector.decision_function(blobs), scores - detector.offset_)

    def test_of_a_wrong_shape_are_refused(self, blobs):
        class Wide(FirstColumn):
            def score_samples(self, X):
                return np.asarray(X)

        with pytest.raises(ValueError, match="1d array"):
            AutoencoderOutlierDetector(Wide()).fit(blobs)

    def test_one_row_has_no_threshold(self, blobs):
        with pytest.raises(ValueError, match="two rows or more, but X has n_samples=1"):
            AutoencoderOutlierDetector().fit(blobs[:1])


class TestTheWrappedEstimator:
    def test_is_an_autoencoder_by_default(self, blobs):
        detector = AutoencoderOutlierDetector(random_state=0).fit(blobs)
        assert isinstance(detector.estimator_, AutoencoderTransformer)

    @pytest.mark.parametrize(
        "estimator", [StandardScaler(), make_pipeline(StandardScaler()), "PCA"]
    )
    def test_has_to_score_rows(self, estimator, blobs):
        with pytest.raises(ValueError, match="score_samples"):
            AutoencoderOutlierDetector(estimator).fit(blobs)

    def test_takes_the_random_state_that_it_lacks(self, blobs):
        pipeline = make_pipeline(StandardScaler(), tiny(AutoencoderTransformer, random_state=None))
        detector = AutoencoderOutlierDetector(pipeline, false_alarm_rate=0.1, random_state=3)
        first, second = (clone(detector).fit(blobs).score_samples(blobs) for _ in range(2))
        assert_array_equal(first, second)
        name = "autoencodertransformer__random_state"
        own = clone(detector).set_params(**{f"estimator__{name}": 7}).fit(blobs)
        assert own.estimator_.get_params()[name] == 7
        assert detector.fit(blobs).estimator_.get_params()[name] == 3

    def test_says_whether_cells_may_be_missing(self, blobs):
        blobs[0, 0] = np.nan
        for model, missing in ((PCA(1), False), (IsolationForest(n_estimators=5), True)):
            assert get_tags(AutoencoderOutlierDetector(model)).input_tags.allow_nan == missing
        assert AutoencoderOutlierDetector(model).fit_predict(blobs).shape == (60,)

    def test_explains_if_it_can(self, blobs):
        for estimator in (FirstColumn(), FROZEN, make_pipeline(StandardScaler(), PCA()), PCA()):
            detector = AutoencoderOutlierDetector(estimator)
            assert hasattr(detector, "explain") == hasattr(estimator, "explain")
        detector = AutoencoderOutlierDetector(FirstColumn())
        with pytest.raises(NotFittedError):
            detector.explain(blobs)
        assert_array_equal(detector.fit(blobs).explain(blobs), -blobs)

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_explains_by_the_last_step_of_a_pipeline(self, library, blobs):
        frame = pytest.importorskip(library).DataFrame(dict(zip("abcd", blobs.T, strict=True)))
        model = make_pipeline(StandardScaler(), tiny(AutoencoderTransformer))
        plain = AutoencoderOutlierDetector(model).fit(blobs)
        scaled = StandardScaler().fit_transform(blobs)
        expected = tiny(AutoencoderTransformer).fit(scaled).explain(scaled)
        assert_allclose(plain.explain(blobs), expected)
        detector = AutoencoderOutlierDetector(model.set_output(transform=library)).fit(frame)
        shares = detector.explain(frame)
        assert type(shares) is type(frame) and list(shares.columns) == list("abcd")
        assert_allclose(shares.to_numpy(), expected)
        for alone in (make_pipeline(tiny(AutoencoderTransformer)), tiny(AutoencoderTransformer)):
            detector = AutoencoderOutlierDetector(alone).fit(blobs)
            expected = tiny(AutoencoderTransformer).fit(blobs).explain(blobs)
            assert_allclose(detector.explain(blobs), expected)

    @pytest.mark.parametrize(
        "estimator", [PCA(2), GaussianMixture(2, random_state=0), KernelDensity()]
    )
    @pytest.mark.parametrize("frozen", [False, True])
    @pytest.mark.parametrize("settings", [{}, {"contamination": 0.1}, {"false_alarm_rate": 0.2}])
    def test_may_be_scikit_learns(self, estimator, frozen, settings, blobs):
        fitted = clone(estimator).fit(blobs)
        model = FrozenEstimator(fitted) if frozen else estimator
        detector = AutoencoderOutlierDetector(model, random_state=0, **settings).fit(blobs)
        if frozen or "false_alarm_rate" not in settings:
            assert_array_equal(detector.score_samples(blobs), fitted.score_samples(blobs))
        assert_array_equal(detector.predict(blobs + 50), -1)
        assert (detector.predict(blobs) == 1).mean() > 0.7

    def test_is_called_back(self, blobs):
        model = tiny(AutoencoderTransformer)
        expected = AutoencoderOutlierDetector(model).fit(blobs).score_samples(blobs)
        model.set_callbacks(ProgressBar())
        detector = AutoencoderOutlierDetector(model).fit(blobs)
        assert_array_equal(detector.score_samples(blobs), expected)

    def test_a_failed_fit_leaves_the_last_one_usable(self, blobs):
        detector = AutoencoderOutlierDetector(PCA(2)).fit(blobs)
        expected = detector.decision_function(blobs)
        with pytest.raises(ValueError, match="NaN"):
            detector.fit(np.full((9, 3), np.nan))
        assert_array_equal(detector.decision_function(blobs), expected)


COLUMN = np.random.default_rng(0).normal(size=(100, 1))

STRANGE = {
    "one column": COLUMN,
    "two rows": COLUMN[:6].reshape(2, 3),
    "two cells": COLUMN[:2],
    "a constant": np.full((50, 3), 0.1),
    "a constant column": np.ones((9, 1)),
    "collinear": COLUMN @ [[1.0, -2.0, 3.0]],
    "duplicates": np.vstack([COLUMN[:24].reshape(6, 4), np.zeros((94, 4))]),
}


@pytest.mark.parametrize("settings", [{}, {"contamination": 0.1}, {"false_alarm_rate": 0.5}])
@pytest.mark.parametrize("kind", STRANGE)
def test_a_strange_table_has_finite_scores_and_reasons(kind, settings):
    X = STRANGE[kind]
    detector = AutoencoderOutlierDetector(random_state=0, **settings).fit(X)
    new = np.vstack([X, X + 1, 100 * X])
    assert np.isfinite(detector.offset_)
    assert np.isfinite(detector.score_samples(new)).all()
    assert np.isfinite(detector.explain(new)).all()
    assert (detector.predict(X) == 1).mean() >= 0.5
    with pytest.raises(ValueError, match="two rows or more, but X has n_samples=1"):
        AutoencoderOutlierDetector().fit(X[:1])


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("frozen", [False, True])
def test_frames_are_passed_on_and_their_names_kept(library, frozen, blobs):
    frame = pytest.importorskip(library).DataFrame(dict(zip("abcd", blobs.T, strict=True)))
    model = FrozenEstimator(FirstColumn().fit(blobs)) if frozen else PCA(2)
    detector = AutoencoderOutlierDetector(model, false_alarm_rate=0.1, random_state=0).fit(frame)
    assert list(detector.feature_names_in_) == list("abcd") and detector.n_features_in_ == 4
    assert detector.predict_pvalue(frame).shape == (60,)
    with pytest.raises(ValueError, match="feature names should match"):
        detector.predict(frame[list("bacd")])


def test_columns_of_words_reach_the_pipeline_that_reads_them():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": ["x", "y"] * 50, "b": ["u", "v"] * 49 + ["v", "u"]})
    model = make_pipeline(OrdinalEncoder(), PCA(1))
    y = AutoencoderOutlierDetector(model, contamination=0.1).fit_predict(frame)
    assert_array_equal(np.flatnonzero(y == -1), [98, 99])


def test_survives_a_pickle(blobs):
    detector = AutoencoderOutlierDetector(
        tiny(AutoencoderTransformer), false_alarm_rate=0.1, random_state=0
    ).fit(blobs)
    loaded = pickle.loads(pickle.dumps(detector))
    assert_array_equal(loaded.predict_pvalue(blobs), detector.predict_pvalue(blobs))


def test_documents_its_parameters_and_attributes(blobs):
    names = list(signature(AutoencoderOutlierDetector).parameters)
    assert names == [f.name for f in fields(AutoencoderOutlierDetector)]
    assert set(names) == set(AutoencoderOutlierDetector._parameter_constraints)
    doc = ClassDoc(AutoencoderOutlierDetector)
    assert [part.name for part in doc["Parameters"]] == names
    frame = pytest.importorskip("pandas").DataFrame(blobs, columns=list("abcd"))
    fitted = vars(AutoencoderOutlierDetector(PCA(2)).fit(frame))
    documented = {part.name for part in doc["Attributes"]}
    assert documented == {name for name in fitted if name.endswith("_") and name[0] != "_"}
