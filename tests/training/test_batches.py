"""The border: nothing is shared across it and nothing is lost."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skae.training import (
    _batches,
    map_rows,
    rows_to_tensor,
    standardized,
    to_numpy,
    to_tensor,
)


def test_a_tensor_shares_no_memory_with_its_array():
    X = np.ones((2, 2))
    to_tensor(X)[0, 0] = 5
    assert_array_equal(X, 1)


def test_a_read_only_array_crosses_without_a_warning():
    X = np.ones((2, 2))
    X.flags.writeable = False
    assert_array_equal(to_numpy(to_tensor(X)), X)


@pytest.mark.parametrize("n_samples", [1, 3, 4, 5, 9])
def test_chunks_do_not_show(n_samples, monkeypatch):
    monkeypatch.setattr(_batches, "CHUNK", 8)
    X = np.asfortranarray(np.random.default_rng(0).normal(size=(n_samples, 2)))
    settings = {"dtype": np.dtype(np.float64), "width": 2, "device": "cpu"}
    assert_array_equal(map_rows(lambda x: 2 * x, X, **settings), 2 * X)
    assert_array_equal(map_rows(lambda x: x.sum(dim=1), X, **settings), X.sum(axis=1))
    assert_allclose(standardized(X, X.mean(axis=0), 3.0), (X - X.mean(axis=0)) / 3)


def test_rows_are_computed_in_the_dtype_that_is_asked_for():
    seen = []
    X = np.ones((2, 2), dtype=np.float32)
    map_rows(
        lambda x: seen.append(x.dtype) or x, X, dtype=np.dtype(np.float64), width=2, device="cpu"
    )
    assert seen == [torch.float64]


def test_a_large_offset_does_no_harm():
    X = (1e8 + np.arange(6.0).reshape(3, 2)).astype(np.float64)
    assert_array_equal(standardized(X, X.mean(axis=0), 1.0)[:, 0], [-2, 0, 2])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_some_rows_become_a_tensor_of_their_own(dtype, monkeypatch):
    monkeypatch.setattr("skae.training._batches.CHUNK", 7)
    X = np.random.default_rng(0).normal(size=(20, 3))[::-1]
    rows = np.array([3, 1, 19, 1, 0])
    tensor = rows_to_tensor(X, rows, dtype=dtype, device="cpu")
    assert torch.equal(tensor, torch.as_tensor(X[rows], dtype=dtype))
    tensor.zero_()
    assert (X[rows] != 0).all()
