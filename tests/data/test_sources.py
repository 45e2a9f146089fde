"""Sources give the same rows as the arrays that they were made of, block by block."""

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal

import skae
from skae.data import _readers as readers
from skae.data._source import ArraySource

dask_array = pytest.importorskip("dask.array")
dask_frame = pytest.importorskip("dask.dataframe")


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(1003, 4)).astype(np.float32)


@pytest.fixture
def frame(X):
    return pd.DataFrame(X, columns=list("abcd"))


@pytest.fixture
def folder(frame, tmp_path):
    frame[:700].to_parquet(tmp_path / "part-0.parquet", row_group_size=150)
    frame[700:].to_parquet(tmp_path / "part-1.parquet", row_group_size=90)
    return tmp_path


def sources(X, frame, folder):
    np.save(folder / "rows.npy", X)
    X.tofile(folder / "rows.bin")
    return {
        "array": skae.data.from_memmap(X),
        "npy": skae.data.from_memmap(folder / "rows.npy"),
        "bare": skae.data.from_memmap(folder / "rows.bin", shape=X.shape, dtype=np.float32),
        "parquet": skae.data.from_parquet(folder),
        "pattern": skae.data.from_parquet(str(folder / "part-*.parquet")),
        "dask array": skae.data.from_dask(dask_array.from_array(X, chunks=(200, 3))),
        "dask frame": skae.data.from_dask(dask_frame.from_pandas(frame, npartitions=3)),
        "batches": skae.data.from_batches(lambda: np.array_split(X, 7)),
        "sparse": ArraySource(sp.csc_array(X)),
    }


def test_every_source_gives_all_rows_in_order(X, frame, folder):
    for name, source in sources(X, frame, folder).items():
        assert source.shape == X.shape and source.dtype == np.float32, name
        parts = list(source.blocks())
        assert_array_equal(np.vstack([rows for _, rows in parts]), X, name)
        assert parts[0][0] == 0
    assert skae.data.from_parquet(folder).feature_names == list("abcd")


def test_blocks_come_in_the_order_asked_for_and_say_where_they_are_from(X, frame, folder):
    for name, source in sources(X, frame, folder).items():
        order = range(len(source.lengths))[::-1]
        starts = []
        for start, rows in source.blocks(order):
            assert_array_equal(rows, X[start : start + len(rows)], name)
            starts.append(start)
        assert len(set(starts)) == len(starts)
        if name != "batches" and len(starts) > 1:
            assert starts != sorted(starts), name


def test_row_groups_are_read_in_turn(X, folder, monkeypatch):
    monkeypatch.setattr(readers, "BLOCK", 4 * 50)
    monkeypatch.setattr(readers, "INTERLEAVED", 2)
    source = skae.data.from_parquet(folder)
    parts = list(source.blocks([0, 3, 1]))
    assert [start for start, _ in parts] == [0, 450, 50, 500, 100, 550, 150, 200, 250]
    for start, rows in parts:
        assert_array_equal(rows, X[start : start + 50])


def test_a_survey_tells_what_numpy_does(X, frame, folder):
    weights, rows = np.random.default_rng(2).random(len(X)), np.array([0, 5, 700, 1002])
    for name, source in sources(X, frame, folder).items():
        for w in (None, weights):
            survey = source.survey(rows, w)
            assert_allclose(survey.mean, np.average(X, axis=0, weights=w), rtol=1e-4, atol=1e-6)
            assert_array_equal(survey.low, X.min(axis=0), name)
            assert_array_equal(survey.high, X.max(axis=0), name)
            assert_array_equal(survey.sample, X[rows], name)


def test_missing_values_do_not_count(X):
    X[::3, 1] = np.nan
    for source in (skae.data.from_memmap(X), ArraySource(sp.csr_array(X))):
        survey = source.survey(np.arange(2), None)
        assert_allclose(survey.mean, np.nanmean(X, axis=0), rtol=1e-4, atol=1e-6)
        assert_allclose(survey.high, np.nanmax(X, axis=0))


def test_null_is_missing_and_integers_are_numbers(tmp_path):
    frame = pd.DataFrame({"i": pd.array([1, None, 3], "Int64"), "b": [True, False, True]})
    frame.to_parquet(tmp_path / "x.parquet")
    source = skae.data.from_parquet(tmp_path / "x.parquet")
    ((_, rows),) = source.blocks()
    assert_array_equal(rows, [[1, 1], [np.nan, 0], [3, 1]])
    assert skae.data.from_parquet(tmp_path / "x.parquet", columns=["b"]).n_features == 1


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda p: skae.data.from_parquet(p / "none.parquet"), FileNotFoundError, "no Parquet"),
        (lambda p: skae.data.from_parquet(p, columns=["z"]), ValueError, "no column 'z', only a"),
        (lambda p: skae.data.from_batches(iter([])), TypeError, "new iterator"),
        (lambda p: skae.data.from_batches(lambda: iter([])), ValueError, "there must be batches"),
        (
            lambda p: skae.data.from_batches(lambda: [np.ones((2, 3)), np.ones((2, 4))]),
            ValueError,
            r"\[3, 4\] columns",
        ),
        (lambda p: skae.data.from_batches(lambda: [np.ones(3)]), ValueError, "two dimensions"),
        (lambda p: skae.data.from_memmap(np.ones(3)), ValueError, "two dimensions"),
        (lambda p: skae.data.from_memmap(np.array([["a"]])), ValueError, "numbers"),
        (lambda p: ArraySource(sp.csr_array([[np.inf, 0]])), ValueError, "infinity"),
    ],
)
def test_what_is_no_source_is_refused(folder, make, error, message):
    with pytest.raises(error, match=message):
        make(folder)


def test_columns_of_text_are_refused_by_name(tmp_path):
    pd.DataFrame({"x": [1.0], "city": ["Rome"]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(ValueError, match=r"'city' holds .*string.*columns="):
        skae.data.from_parquet(tmp_path / "x.parquet")


def test_batches_that_change_are_refused():
    calls = []

    def make():
        calls.append(0)
        return [np.ones((5, 2))] * (3 if len(calls) == 1 else 2)

    source = skae.data.from_batches(make)
    with pytest.raises(ValueError, match="ended after 2 of 3"):
        list(source.blocks())
    wider = skae.data.from_batches(lambda: [np.ones((5, 2))])
    wider.make = lambda: [np.ones((5, 3))]
    with pytest.raises(ValueError, match="same rows each time"):
        list(wider.blocks())


def test_infinity_is_refused_when_it_is_read():
    X = np.ones((10, 2))
    X[7, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        list(skae.data.from_memmap(X).blocks())
