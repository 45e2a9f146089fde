"""Weights, splits, frames and the order of rows: what a fit learns from."""

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GroupKFold, ShuffleSplit

from skae import AutoencoderTransformer
from skae.autoencoders._table import Table, checked, expanded, mean_of, order_of


def fits(X, weights=None, **settings):
    model = tiny(AutoencoderTransformer, early_stopping=False, **settings)
    return model.fit(X, sample_weight=weights)


class TestWeights:
    def test_of_two_are_the_row_twice_to_the_bit(self, blobs):
        weights = np.arange(60) % 3
        weighted, repeated = fits(blobs, weights), fits(np.repeat(blobs, weights, axis=0))
        assert_array_equal(weighted.transform(blobs), repeated.transform(blobs))
        assert_array_equal(weighted.score_samples(blobs), repeated.score_samples(blobs))

    def test_of_zero_are_no_rows(self, blobs):
        weights = np.where(np.arange(60) < 50, 0.5, 0.0)
        blobs[55, 2] = 1e6  # which would be seen
        assert_array_equal(
            fits(blobs, weights).transform(blobs), fits(blobs[:50], weights[:50]).transform(blobs)
        )

    @pytest.mark.parametrize("unit", [1e-6, 8.0])
    def test_have_no_unit(self, blobs, unit):
        weights = np.random.default_rng(0).uniform(0.1, 2, size=60)
        expected = fits(blobs, weights, max_iter=0).transform(blobs)
        assert_allclose(fits(blobs, weights * unit, max_iter=0).transform(blobs), expected)

    def test_that_are_fractions_make_the_weighted_mean(self, blobs):
        weights = np.random.default_rng(0).uniform(0.1, 2, size=60)
        model = fits(blobs, weights, max_iter=0)
        assert_allclose(model.mean_, np.average(blobs, axis=0, weights=weights), rtol=1e-12)

    def test_that_are_fractions_make_the_pca_of_the_weighted_covariance(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 5)) + 0.1 * rng.normal(size=(500, 5))
        weights = rng.exponential(size=500)
        values, axes = np.linalg.eigh(np.cov(X.T, aweights=weights))
        model = fits(X, weights, n_components=3, max_iter=0)
        assert_allclose(model.explained_variance_, values[::-1][:3], rtol=0.01)
        mean = np.average(X, axis=0, weights=weights)
        expected = (X - mean) @ axes[:, :1:-1] @ axes[:, :1:-1].T + mean
        found = model.inverse_transform(model.transform(X))
        assert np.sqrt(np.mean((found - expected) ** 2)) < 0.01 * X.std()

    def test_move_the_mean_of_known_cells(self):
        X = np.array([[1.0, np.nan], [2.0, 5.0], [4.0, 7.0]])
        assert_allclose(mean_of(X, np.array([2.0, 1.0, 1.0])), [2.0, 6.0])

    @pytest.mark.parametrize(
        ("weights", "message"),
        [
            (np.zeros(60), "at least one non-zero"),
            (np.full(60, -1.0), "Negative values"),
            (np.full(60, np.nan), "NaN"),
            (np.ones(59), "60"),
        ],
    )
    def test_that_mean_nothing_are_refused(self, blobs, weights, message):
        with pytest.raises(ValueError, match=message):
            fits(blobs, weights)

    def test_expand_to_rows_as_often_as_they_say(self):
        rows = expanded(np.array([1.0, 3.0, 0.5]), 9)
        assert_array_equal(np.bincount(rows), [2, 6, 1])


class TestSplits:
    def test_may_be_given(self, blobs):
        splits = [(np.arange(40), np.arange(40, 60))]
        model = tiny(AutoencoderTransformer, cv=splits).fit(blobs)
        table = Table.of(blobs, None, splits)
        assert_array_equal(table.splits[0][1], np.arange(40, 60))
        assert len(model.validation_scores_) > 1

    def test_may_be_a_splitter(self, blobs):
        splitter = ShuffleSplit(2, test_size=0.25, random_state=0)
        given = tiny(AutoencoderTransformer, cv=list(splitter.split(blobs))).fit(blobs)
        model = tiny(AutoencoderTransformer, cv=splitter).fit(blobs)
        assert_array_equal(model.transform(blobs), given.transform(blobs))

    def test_keep_copies_of_a_row_on_one_side(self, blobs):
        weights = np.full(60, 2)
        splits = Table.of(blobs, weights, [(np.arange(40), np.arange(40, 60))]).splits
        assert [len(part) for part in splits[0]] == [80, 40]
        X = Table.of(blobs, weights, None).X
        train, test = (set(map(tuple, X[part])) for part in splits[0])
        assert not train & test and train == set(map(tuple, blobs[:40]))

    def test_may_ask_for_groups_by_y(self, blobs):
        groups = np.arange(60) // 20
        splits = list(GroupKFold(3).split(blobs, groups=groups))
        assert len(Table.of(blobs, None, splits).splits) == 3


class TestOrder:
    def test_is_that_of_the_rows_where_none_are_equal(self, blobs):
        assert_array_equal(order_of(blobs, as_they_are=True), np.arange(60))

    def test_of_equal_rows_does_not_depend_on_where_they_were(self, blobs):
        X = np.vstack([blobs, blobs[:20]])
        moved = X[np.random.default_rng(0).permutation(80)]
        assert_array_equal(*(rows[order_of(rows, as_they_are=True)] for rows in (X, moved)))

    @pytest.mark.parametrize("unit", [1.0, 1e-6, -3.0])
    def test_brings_equal_rows_together_in_any_unit(self, blobs, unit):
        X = np.vstack([blobs, blobs]) * unit
        sorted_rows = X[order_of(X, as_they_are=True)]
        assert_array_equal(sorted_rows[::2], sorted_rows[1::2])

    def test_takes_zero_for_minus_zero(self):
        X = np.array([[0.0, 1.0], [5.0, 5.0], [-0.0, 1.0]])
        order = order_of(X, as_they_are=True)
        assert abs(list(order).index(0) - list(order).index(2)) == 1


class TestFrames:
    @pytest.mark.parametrize("library", ["pandas", "polars"])
    @pytest.mark.parametrize("dtype", [np.float32, np.float64])
    def test_keep_their_precision(self, library, dtype, blobs):
        library = pytest.importorskip(library)
        columns = dict(zip("abcd", blobs.astype(dtype).T.copy(), strict=True))
        frame = library.DataFrame(columns)
        model = fits(frame)
        assert checked(model, frame, reset=False).dtype == dtype
        assert model.transform(frame).dtype == model.mean_.dtype == dtype

    def test_of_two_precisions_take_the_greater(self, blobs):
        polars = pytest.importorskip("polars")
        frame = polars.DataFrame(dict(zip("abcd", blobs.T.copy(), strict=True)))
        frame = frame.with_columns(polars.col("a").cast(polars.Float32))
        assert checked(fits(frame), frame, reset=False).dtype == np.float64

    @pytest.mark.parametrize("library", ["pandas", "polars"])
    def test_have_missing_cells_as_they_write_them(self, library, blobs):
        library = pytest.importorskip(library)
        gappy = blobs.copy()
        gappy[3, 1] = np.nan
        columns = {name: list(column) for name, column in zip("abcd", gappy.T, strict=True)}
        columns["b"][3] = None
        frame = library.DataFrame(columns)
        assert_array_equal(fits(frame).transform(frame), fits(gappy).transform(gappy))

    def test_want_the_names_of_fit(self, blobs):
        pandas = pytest.importorskip("pandas")
        model = fits(pandas.DataFrame(blobs, columns=list("abcd")))
        with pytest.raises(ValueError, match="feature names should match"):
            model.transform(pandas.DataFrame(blobs, columns=list("abdc")))


def test_columns_without_any_value_are_named(blobs):
    blobs[:, [1, 3]] = np.nan
    with pytest.raises(ValueError, match=r"2 of 4 columns hold no value at all.*\(1, 3\)"):
        fits(blobs)
