"""The imputer: scikit-learn's interface, and what it fills in."""

import pickle
from contextlib import nullcontext
from dataclasses import fields
from inspect import signature

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from numpydoc.docscrape import ClassDoc
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from skae import AutoencoderTransformer, DenoisingAutoencoder
from skae.autoencoders._missing import Whole
from skae.impute import AutoencoderImputer
from skae.impute._learning import examples, lent


@parametrize_with_checks(
    [
        AutoencoderImputer(),
        AutoencoderImputer(
            tiny(AutoencoderTransformer, 1), add_indicator=True, keep_empty_features=True
        ),
        AutoencoderImputer(tiny(DenoisingAutoencoder, 1), missing_values=-1),
    ],
    xfail_strict=True,
)
def test_scikit_learn(estimator, check):
    check(estimator)  # no expected failures, ever


def bent(n_samples=800, seed=0):
    """Rows on a bent curve, which no Gaussian knows."""
    rng = np.random.default_rng(seed)
    t = rng.uniform(-2, 2, size=n_samples)
    X = np.column_stack([t, t**2, t**3 / 4, np.cos(2 * t)])
    return X + 0.05 * rng.normal(size=X.shape)


def with_gaps(X, share=0.2, seed=1):
    missing = np.random.default_rng(seed).random(X.shape) < share
    return np.where(missing, np.nan, X), missing


class TestWhatItFillsIn:
    def test_known_cells_come_back_to_the_bit(self, blobs):
        gappy, missing = with_gaps(blobs)
        for dtype in (np.float64, np.float32):
            X = gappy.astype(dtype)
            filled = AutoencoderImputer(random_state=0).fit_transform(X)
            assert filled.dtype == dtype and np.isfinite(filled).all()
            assert_array_equal(filled[~missing], X[~missing])

    def test_bends_where_the_rows_do(self):
        X = bent(2000)
        gappy, missing = with_gaps(X)
        model = AutoencoderImputer(random_state=0, max_iter=20)

        def error(imputer):
            return np.sqrt(np.mean((imputer.fit_transform(gappy) - X)[missing] ** 2))

        gaussian = error(clone(model).set_params(max_iter=0))
        assert error(model) < 0.85 * gaussian < 0.85 * error(SimpleImputer())
        assert model.module_.correction is not None and model.gain_ > 0.2

    def test_is_the_gaussian_where_nothing_bends(self):
        rng = np.random.default_rng(0)
        X, missing = with_gaps(rng.normal(size=(500, 6)) @ rng.normal(size=(6, 6)))
        model = AutoencoderImputer(random_state=0).fit(X)
        assert model.module_.correction is None and model.gain_ == 0 and model.n_iter_ >= 1
        scale = np.nanstd(X, axis=0)
        expected = Whole.of((X - np.nanmean(X, axis=0)) / scale).X * scale + np.nanmean(X, axis=0)
        assert_allclose(model.transform(X)[missing], expected[missing])

    @pytest.mark.parametrize("share", [0.0, 0.2])
    def test_columns_may_have_any_unit(self, share):
        X, _ = with_gaps(bent(), share)
        test, _ = with_gaps(bent(100, 1))
        unit = 2.0 ** np.array([-40, 3, 40, 0])
        plain, scaled = (AutoencoderImputer(random_state=0).fit(X * u) for u in (1.0, unit))
        assert plain.module_.correction is not None
        found = scaled.transform(test * unit) / unit
        assert_allclose(found, plain.transform(test), rtol=1e-4, atol=1e-4)

    def test_stays_within_the_range_of_known_cells(self):
        X, _ = with_gaps(bent())
        filled = AutoencoderImputer(random_state=0).fit_transform(X)
        low, high = np.nanmin(X, axis=0), np.nanmax(X, axis=0)
        assert ((filled >= low - 1e-9) & (filled <= high + 1e-9)).all()

    def test_rows_do_not_depend_on_their_company(self):
        X, _ = with_gaps(bent())
        X[0] = np.nan
        model = AutoencoderImputer(random_state=0).fit(X)
        together = model.transform(X[:20])
        assert_allclose(np.vstack([model.transform(X[i : i + 1]) for i in range(20)]), together)

    def test_an_estimator_says_what_its_reconstruction_is(self, blobs):
        gappy, missing = with_gaps(blobs)
        inner = tiny(DenoisingAutoencoder)
        model = AutoencoderImputer(inner).fit(gappy)
        expected = clone(inner).fit(gappy)
        expected = expected.inverse_transform(expected.transform(gappy))
        assert_array_equal(model.transform(gappy)[missing], expected[missing])
        assert model.module_ is None and not hasattr(inner, "module_")


class TestColumnsWithoutAnyValue:
    def test_are_left_out_with_a_warning(self, blobs):
        blobs[:, 2] = np.nan
        with pytest.warns(UserWarning, match=r"1 of 4 columns hold no value.*x2.*keep_empty"):
            model = AutoencoderImputer(random_state=0).fit(blobs)
        assert model.transform(blobs).shape == (60, 3)
        assert list(model.get_feature_names_out()) == ["x0", "x1", "x3"]

    def test_are_zero_where_they_are_kept(self, blobs):
        blobs[:, 2] = np.nan
        model = AutoencoderImputer(keep_empty_features=True, random_state=0).fit(blobs)
        blobs[4, 2] = 3.0
        expected = np.zeros(60)
        expected[4] = 3.0
        assert_array_equal(model.transform(blobs)[:, 2], expected)
        assert len(model.get_feature_names_out()) == 4

    @pytest.mark.parametrize("estimator", [None, tiny(AutoencoderTransformer)])
    def test_may_be_all_there_is(self, estimator):
        X = np.full((5, 2), np.nan)
        model = AutoencoderImputer(estimator, keep_empty_features=True)
        assert_array_equal(model.fit_transform(X), 0)
        with pytest.warns(UserWarning, match="2 of 2 columns"):
            assert model.set_params(keep_empty_features=False).fit_transform(X).shape == (5, 0)


class TestInterface:
    def test_other_values_may_stand_for_missing_cells(self, blobs):
        gappy, missing = with_gaps(blobs)
        expected = AutoencoderImputer(random_state=0).fit_transform(gappy)
        model = AutoencoderImputer(missing_values=-99, random_state=0)
        assert_array_equal(model.fit_transform(np.where(missing, -99, blobs)), expected)
        with pytest.raises(ValueError, match="NaN"):
            model.fit(gappy)
        with pytest.raises(ValueError, match="NaN"):
            model.transform(gappy)

    @pytest.mark.parametrize("keep", [False, True])
    def test_indicators_are_those_of_scikit_learn(self, blobs, keep):
        gappy, _ = with_gaps(blobs[:, :3])
        gappy[:, 1] = np.nan
        gappy = np.column_stack([gappy, np.ones(60)])
        settings = {"add_indicator": True, "keep_empty_features": keep}
        ours = AutoencoderImputer(random_state=0, **settings)
        theirs = SimpleImputer(**settings)
        with nullcontext() if keep else pytest.warns(UserWarning, match="1 of 4"):
            ours.fit(gappy)
        with nullcontext() if keep else pytest.warns(UserWarning, match="Skipping"):
            expected = theirs.fit_transform(gappy)
        found = ours.transform(gappy)
        assert found.shape == expected.shape
        n_values = 4 if keep else 3
        assert_array_equal(found[:, n_values:], expected[:, n_values:])
        assert list(ours.get_feature_names_out()) == list(theirs.get_feature_names_out())

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_frames_come_and_go(self, blobs, library):
        library = pytest.importorskip(library)
        gappy, _ = with_gaps(blobs)
        frame = library.DataFrame(dict(zip("abcd", gappy.T.copy(), strict=True)))
        model = AutoencoderImputer(random_state=0).set_output(transform=library.__name__)
        filled = model.fit_transform(frame)
        assert list(filled.columns) == list("abcd")
        plain = AutoencoderImputer(random_state=0).fit_transform(gappy)
        assert_array_equal(filled.to_numpy(), plain)

    def test_works_in_a_pipeline_a_grid_search_and_a_column_transformer(self, blobs):
        gappy, _ = with_gaps(blobs)
        pipeline = make_pipeline(
            make_column_transformer((AutoencoderImputer(random_state=0), [0, 1, 2])), Ridge()
        )
        name = "columntransformer__autoencoderimputer__max_iter"
        search = GridSearchCV(pipeline, {name: [0, 2]}, cv=2).fit(gappy, blobs[:, 3])
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()

    @pytest.mark.parametrize("max_iter", [0, 8])
    def test_survives_a_pickle_without_tensors(self, max_iter):
        X, _ = with_gaps(bent())
        model = AutoencoderImputer(max_iter=max_iter, random_state=0).fit(X)
        content = pickle.dumps(model)
        assert b"torch" not in content
        assert_array_equal(pickle.loads(content).transform(X), model.transform(X))

    def test_the_same_seed_gives_the_same_bits_and_no_global_one_is_read(self):
        X, _ = with_gaps(bent())
        before = np.random.get_state()[1].copy()
        first, second = (AutoencoderImputer(random_state=3).fit_transform(X) for _ in range(2))
        assert_array_equal(first, second)
        assert_array_equal(np.random.get_state()[1], before)

    def test_bad_input_is_refused(self, blobs):
        with pytest.raises(NotFittedError):
            AutoencoderImputer().transform(blobs)
        with pytest.raises(ValueError, match="must hold positive integers"):
            AutoencoderImputer(hidden_layer_sizes=(0,)).fit(blobs)
        with pytest.raises(ValueError, match="infinity"):
            AutoencoderImputer().fit(np.where(blobs > 1, np.inf, blobs))

    def test_documents_exactly_its_parameters_and_attributes(self, blobs):
        documentation = ClassDoc(AutoencoderImputer)
        names = [part.name for part in documentation["Parameters"]]
        assert names == list(signature(AutoencoderImputer).parameters)
        assert names == [f.name for f in fields(AutoencoderImputer)]
        pandas = pytest.importorskip("pandas")
        model = AutoencoderImputer().fit(pandas.DataFrame(blobs, columns=list("abcd")))
        fitted = {n for n in vars(model) if n.endswith("_") and n[0] != "_"}
        assert {part.name for part in documentation["Attributes"]} == fitted


class TestHiding:
    def test_nothing_that_is_missing_is_hidden_and_no_more_than_lenders_lack(self):
        rng = np.random.RandomState(0)
        gaps = rng.random_sample((300, 8)) < 0.4
        hidden = lent(gaps, gaps, rng)
        assert not (hidden & gaps).any() and hidden.any()
        total = (hidden | gaps).sum(axis=1)
        grown = hidden.sum(axis=1) > 1
        assert (total[grown] <= gaps[~gaps.all(axis=1)].sum(axis=1).max()).all()

    def test_whole_rows_take_the_gaps_of_others_as_they_are(self):
        gaps = np.zeros((50, 6), bool)
        gaps[:5, 2:5] = True
        hidden = lent(gaps, gaps, np.random.RandomState(0))
        assert_array_equal(hidden[5:], np.tile(gaps[0], (45, 1)))
        assert not hidden[:5].any()

    def test_without_examples_a_share_of_the_cells_is_hidden(self):
        gaps = np.zeros((2000, 5), bool)
        assert_allclose(lent(gaps, gaps, np.random.RandomState(0)).mean(), 0.2, atol=0.02)

    def test_samples_are_the_rows_with_their_hidden_cells_completed(self):
        X, missing = with_gaps(bent(200))
        whole = Whole.of(X)
        samples, hidden, row = examples(whole, np.random.RandomState(0))
        completed, gone, target = np.hsplit(samples, 3)
        assert hidden.any(axis=1).all() and not (hidden & missing[row]).any()
        assert_array_equal(gone.astype(bool), hidden | missing[row])
        assert_array_equal(target, whole.X[row])
        assert_array_equal(completed[gone == 0], target[gone == 0])
        assert (completed[hidden] != target[hidden]).any()
