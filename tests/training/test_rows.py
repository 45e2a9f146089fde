"""Which rows an epoch visits, and how often."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from skae.training import Rows, generator
from skae.training._rows import visits

WEIGHTS = np.array([0.3, 2.5, 1.0, 0.2, 1.0])


def counts(weights, seed):
    return np.bincount(visits(torch.as_tensor(weights), generator(seed)), minlength=len(weights))


def test_as_often_as_their_weight_says_but_for_rounding():
    for seed in range(50):
        found = counts(WEIGHTS, seed)
        assert found.sum() == len(WEIGHTS)
        assert (found >= np.floor(WEIGHTS)).all() and (found <= np.ceil(WEIGHTS)).all()


def test_on_average_exactly():
    found = np.mean([counts(WEIGHTS, seed) for seed in range(4000)], axis=0)
    assert_allclose(found, WEIGHTS, atol=0.03)


def test_whole_numbers_are_repetitions_whatever_the_seed():
    weights = np.array([2.0, 0.0, 1.0, 1.0])
    for seed in range(9):
        assert_array_equal(counts(weights, seed), [2, 0, 1, 1])


@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_the_unit_of_weights_does_not_matter(factor):
    assert_array_equal(counts(WEIGHTS * factor, 3), counts(WEIGHTS, 3))


@pytest.mark.parametrize("weights", [None, torch.from_numpy(WEIGHTS)])
def test_an_epoch_has_as_many_rows_as_there_are(weights):
    rows = Rows(torch.arange(5.0)[:, None], None, weights)
    batches = list(rows.batches(generator(0), 2))
    assert [len(x) for x, _ in batches] == [2, 2, 1]
    assert all(known is None for _, known in batches)


def test_known_cells_stay_with_their_rows():
    x = torch.arange(12.0).reshape(6, 2)
    rows = Rows(x, x % 3 == 0, torch.ones(6, dtype=torch.float64))
    for batch, known in rows.batches(generator(0), 4):
        assert known.dtype == x.dtype
        assert_array_equal(known, batch % 3 == 0)
    some = rows.of(torch.tensor([4, 1]))
    assert_array_equal(some.known, some.x % 3 == 0)
    assert len(some.weights) == 2


@pytest.mark.parametrize("at_once", [1, 8, 10**6])
def test_blocks_hold_the_same_batches_however_many_at_once(at_once):
    x = torch.arange(34.0).reshape(17, 2)
    rows = Rows(x, x % 3 == 0)
    expected = list(rows.batches(generator(0), 3))
    blocks = list(rows.blocks(generator(0), 3, at_once))
    found = [batch for block in blocks for batch in block.batches()]
    assert [len(x) for x, _ in found] == [3, 3, 3, 3, 3, 2]
    for (x1, known1), (x2, known2) in zip(found, expected, strict=True):
        assert_array_equal(x1, x2)
        assert_array_equal(known1, known2)
    assert len(blocks) == {1: 6, 8: 6, 10**6: 1}[at_once]
    assert sorted(torch.cat([x for x, _ in found])[:, 0].tolist()) == x[:, 0].tolist()
