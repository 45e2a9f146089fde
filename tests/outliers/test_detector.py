"""Thresholds on scores: what they promise, and scikit-learn's word for it."""

import pickle
from dataclasses import fields
from inspect import signature

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from numpydoc.docscrape import ClassDoc
from scipy.stats import betabinom, chi2
from sklearn.base import BaseEstimator, clone
from sklearn.callback import ProgressBar
from sklearn.covariance import EllipticEnvelope
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

from skae import AutoencoderTransformer
from skae.outliers import AutoencoderOutlierDetector
from skae.outliers._thresholds import n_alarms_of, tail_offset


class FirstColumn(BaseEstimator):
    """Scores a row by its first cell, so that thresholds can be checked by hand."""

    def __init__(self, trim=None, support_fraction="auto", random_state=None):
        self.trim = trim
        self.support_fraction = support_fraction
        self.random_state = random_state

    def fit(self, X, y=None):
        self.rows_ = np.asarray(X)
        return self

    def score_samples(self, X):
        return np.asarray(X)[:, 0]

    def transform(self, X):
        return X

    def explain(self, X):
        return -np.asarray(X)


FROZEN = FrozenEstimator(FirstColumn().fit(np.zeros((1, 1))))


def column(values):
    return np.asarray(values, dtype=float)[:, None]


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


class TestTheTailRule:
    @pytest.mark.parametrize("n_features", [2, 3, 5, 10, 20, 64, 200])
    def test_leaves_at_most_a_64th_of_a_gaussian(self, n_features):
        """The logarithm of a chi-squared survival function is concave from two dimensions on."""
        shares = (np.arange(200_000) + 0.5) / 200_000
        offset = tail_offset(-chi2.ppf(shares, n_features) / 2)
        share = chi2.sf(-2 * offset, n_features)
        assert share <= 2**-6 + 1e-6
        if n_features == 2:  # an exponential tail, on which the bound is reached
            assert_allclose(share, 2**-6, rtol=1e-3)

    def test_follows_the_units_of_the_scores(self):
        scores = np.random.default_rng(0).normal(size=101)
        assert_allclose(tail_offset(3 * scores + 2), 3 * tail_offset(scores) + 2)

    @pytest.mark.parametrize("share", [0.05, 0.2])
    def test_is_not_moved_far_by_outliers(self, share):
        rng = np.random.default_rng(0)
        scores = -chi2.rvs(5, size=1000, random_state=rng) / 2
        clean = tail_offset(scores)
        scores[: int(1000 * share)] = -1e9
        assert -30 < tail_offset(scores) < clean

    def test_has_few_false_alarms_and_finds_what_is_far(self):
        rng = np.random.default_rng(0)
        mixing = rng.normal(size=(6, 6))
        X, X_new = (rng.normal(size=(n, 6)) @ mixing for n in (1000, 5000))
        X[:10] = 20 * rng.normal(size=(10, 6))
        y = AutoencoderOutlierDetector(random_state=0).fit_predict(X)
        assert (y[:10] == -1).sum() >= 9 and (y[10:] == -1).mean() < 0.015
        detector = AutoencoderOutlierDetector(random_state=0).fit(X[10:])
        assert (detector.predict(X_new) == -1).mean() < 0.015
        assert (detector.predict(20 * X_new) == -1).mean() > 0.95

    def test_takes_the_same_row_many_times_for_normal(self):
        X = np.full((50, 3), 0.1)
        detector = AutoencoderOutlierDetector(random_state=0).fit(X)
        assert (detector.predict(X[:7]) == 1).all()
        assert (detector.predict(X + 1) == -1).all()
        tied = AutoencoderOutlierDetector(FirstColumn()).fit(column([3] * 50))
        assert_array_equal(tied.predict([[3 - 1e-15], [3], [2.9]]), [1, 1, -1])


class TestContamination:
    def test_is_the_share_of_training_rows_below_the_threshold(self):
        X = column(np.random.default_rng(0).permutation(100))
        detector = AutoencoderOutlierDetector(FirstColumn(), contamination=0.07).fit(X)
        assert_array_equal(detector.predict(X) == -1, X[:, 0] < 7)
        assert detector.offset_ == np.quantile(np.arange(100), 0.07)

    @pytest.mark.parametrize("contamination", [0.1, 0.5])
    def test_is_told_to_an_estimator_that_trims(self, contamination):
        model = FirstColumn()
        fitted = AutoencoderOutlierDetector(model, contamination=contamination).fit(column([1, 2]))
        assert_allclose(fitted.estimator_.trim, contamination)
        assert_allclose(fitted.estimator_.support_fraction, 1 - contamination)
        assert fitted.estimator_.trim < 0.5 < fitted.estimator_.support_fraction
        assert model.trim is None and not hasattr(model, "rows_")

    def test_is_told_to_the_parts_of_a_pipeline(self):
        pipeline = make_pipeline(StandardScaler(), FirstColumn(trim=0.3))
        detector = AutoencoderOutlierDetector(pipeline, contamination=0.1).fit(column([1, 2]))
        parts = detector.estimator_.get_params()
        assert parts["firstcolumn__trim"] == 0.3, "the user's own word stands"
        assert parts["firstcolumn__support_fraction"] == 0.9

    def test_is_the_support_of_a_robust_covariance(self, blobs):
        model = EllipticEnvelope(random_state=0)
        detector = AutoencoderOutlierDetector(model, contamination=0.25).fit(blobs)
        by_hand = EllipticEnvelope(support_fraction=0.75, random_state=0).fit(blobs)
        assert_array_equal(detector.score_samples(blobs), by_hand.score_samples(blobs))

    @pytest.mark.parametrize("settings", [{}, {"false_alarm_rate": 0.5}])
    def test_is_not_told_where_it_is_not_known(self, settings):
        detector = AutoencoderOutlierDetector(FirstColumn(), **settings).fit(column(range(20)))
        assert detector.estimator_.trim is None
        assert detector.estimator_.support_fraction == "auto"


class TestFalseAlarmRate:
    @pytest.mark.parametrize("n_alarms", [1, 2, 7, 19])
    def test_is_exact_over_exchangeable_rows(self, n_alarms):
        """Each of 20 rows is held against the 19 others: just so many of them are alarms."""
        values, rate = np.random.default_rng(0).normal(size=20), n_alarms / 20
        alarms = [self.is_alarm(values, i, rate) for i in range(20)]
        assert_array_equal(alarms, values <= np.sort(values)[n_alarms - 1])

    @pytest.mark.parametrize("n_alarms", [1, 2, 7, 19])
    def test_is_a_bound_where_scores_are_tied(self, n_alarms):
        values, rate = np.random.default_rng(0).integers(0, 4, size=20), n_alarms / 20
        alarms = [self.is_alarm(values, i, rate) for i in range(20)]
        assert sum(alarms) <= n_alarms

    @staticmethod
    def is_alarm(values, i, rate):
        detector = AutoencoderOutlierDetector(FROZEN, false_alarm_rate=rate)
        return detector.fit(column(np.delete(values, i))).predict(column(values[[i]]))[0] == -1

    @pytest.mark.parametrize("rate", [0.01, 0.07, 0.1, 0.29, 0.58, 0.9])
    def test_predict_is_a_level_of_the_p_values(self, rate):
        values = np.random.default_rng(0).integers(0, 80, size=99)
        detector = AutoencoderOutlierDetector(FROZEN, false_alarm_rate=rate).fit(column(values))
        X_new = column([*range(-1, 81), -np.inf])
        p = detector.predict_pvalue(X_new)
        assert_array_equal(detector.predict(X_new) == -1, p <= rate)
        assert p.min() == 0.01 and p.max() == 1
        by_hand = [(1 + (values <= row[0]).sum()) / 100 for row in X_new]
        assert_array_equal(p, by_hand)

    def test_p_values_of_normal_rows_are_never_too_small(self):
        """Exchangeability alone: j of n + 1 rows have a p-value of at most j / (n + 1)."""
        values = np.random.default_rng(0).integers(0, 30, size=40)
        p = np.array(
            [
                AutoencoderOutlierDetector(FROZEN, false_alarm_rate=0.5)
                .fit(column(np.delete(values, i)))
                .predict_pvalue(column(values[[i]]))[0]
                for i in range(40)
            ]
        )
        levels = np.arange(1, 41) / 40
        assert ((p[:, None] <= levels).mean(axis=0) <= levels).all()

    @pytest.mark.parametrize("rate", [0.02, 0.1])
    def test_holds_for_new_rows_of_an_overfitted_model(self, rate):
        """Where the quantile of the training scores does not: hardly more rows than features."""
        rng = np.random.default_rng(0)
        X, X_new = rng.normal(size=(250, 60)), rng.normal(size=(4000, 60))
        detector = AutoencoderOutlierDetector(
            false_alarm_rate=rate, calibration_fraction=0.4, random_state=0
        ).fit(X)
        n_alarms = n_alarms_of(100, rate)
        few, many = betabinom(4000, n_alarms, 101 - n_alarms).ppf([1e-4, 1 - 1e-4])
        assert few <= (detector.predict(X_new) == -1).sum() <= many
        naive = AutoencoderOutlierDetector(contamination=rate).fit(X)
        assert (naive.predict(X_new) == -1).sum() > many

    def test_rows_held_out_are_not_learnt_from(self):
        X = column(np.arange(50))
        detector = AutoencoderOutlierDetector(
            FirstColumn(), false_alarm_rate=0.1, calibration_fraction=0.3, random_state=0
        ).fit(X)
        learnt = detector.estimator_.rows_[:, 0]
        assert len(learnt) == 35
        assert_array_equal(np.sort([*learnt, *detector.calibration_scores_]), X[:, 0])
        other = clone(detector).set_params(random_state=1).fit(X)
        assert set(other.calibration_scores_) != set(detector.calibration_scores_)

    def test_a_frozen_estimator_is_calibrated_by_all_rows(self, blobs):
        model = PCA(2).fit(blobs[:30])
        components = model.components_.copy()
        detector = AutoencoderOutlierDetector(FrozenEstimator(model), false_alarm_rate=0.1)
        detector.fit(blobs[30:])
        assert_array_equal(detector.calibration_scores_, np.sort(model.score_samples(blobs[30:])))
        assert_array_equal(model.components_, components)

    def test_says_how_many_rows_it_needs(self):
        detector = AutoencoderOutlierDetector(FirstColumn(), false_alarm_rate=0.05)
        message = (
            r"false_alarm_rate=0.05 needs 19 calibration rows, but calibration_fraction=0.2 of "
            r"n_samples=90 is 18; .* a larger calibration_fraction or a rate of at least 1 / 19"
        )
        with pytest.raises(ValueError, match=message):
            detector.fit(column(np.arange(90)))
        assert len(detector.fit(column(np.arange(91))).calibration_scores_) == 19
        with pytest.raises(ValueError, match=r"needs 19 .* but n_samples=18 is 18; pass more rows"):
            AutoencoderOutlierDetector(FROZEN, false_alarm_rate=0.05).fit(column(np.arange(18)))

    def test_is_a_threshold_and_contamination_another(self, blobs):
        with pytest.raises(
            ValueError, match=r"contamination=0.1 and false_alarm_rate=0.05 are two"
        ):
            AutoencoderOutlierDetector(contamination=0.1, false_alarm_rate=0.05).fit(blobs)

    def test_p_values_are_refused_without_it(self, blobs):
        detector = AutoencoderOutlierDetector(PCA(2), false_alarm_rate=0.1)
        with pytest.raises(NotFittedError):
            detector.predict_pvalue(blobs)
        detector.fit(blobs).set_params(false_alarm_rate=None).fit(blobs)
        with pytest.raises(ValueError, match="set it and fit again"):
            detector.predict_pvalue(blobs)


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
        for estimator in (FirstColumn(), FROZEN, make_pipeline(StandardScaler(), PCA())):
            detector = AutoencoderOutlierDetector(estimator)
            assert hasattr(detector, "explain") == hasattr(estimator, "explain")
        detector = AutoencoderOutlierDetector(FirstColumn())
        with pytest.raises(NotFittedError):
            detector.explain(blobs)
        assert_array_equal(detector.fit(blobs).explain(blobs), -blobs)

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
