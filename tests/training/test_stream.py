"""Streamed rows are the rows, in another order each epoch."""

import numpy as np
import pytest
import torch

from skae.training import StreamedRows, generator


def stream(X, length=7, without=(), weights=None, prepare=lambda rows: (rows, None)):
    starts = range(0, len(X), length)

    def blocks(order):
        for i in order:
            yield starts[i], X[starts[i] : starts[i] + length]

    return StreamedRows(
        blocks=blocks,
        n_blocks=len(starts),
        n_samples=len(X),
        n_features=X.shape[1],
        without=np.array(without, dtype=np.int64),
        weights=weights,
        prepare=prepare,
        dtype=torch.float64,
        device=torch.device("cpu"),
    )


@pytest.fixture
def X():
    return np.arange(100.0)[:, None] * [1.0, 10.0]


@pytest.fixture(autouse=True)
def small_buffer(monkeypatch):
    monkeypatch.setattr("skae.training._stream.BUFFER", 60)


def epoch(rows, seed=0, batch_size=16):
    return [x for x, _ in rows.batches(generator(seed), batch_size)]


@pytest.mark.parametrize("batch_size", [1, 16, 33, 100, 1000])
def test_an_epoch_has_every_row_once(X, batch_size):
    rows = stream(X)
    batches = epoch(rows, batch_size=batch_size)
    assert len(batches) == -(-len(rows) // batch_size)
    assert {len(x) for x in batches[:-1]} <= {len(batches[0])}
    assert sorted(torch.cat(batches)[:, 0].tolist()) == list(range(100))


def test_the_order_is_the_seeds(X):
    first, again, other = (torch.cat(epoch(stream(X), seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again) and not torch.equal(first, other)
    assert (first[:30, 0].diff() != 1).float().mean() > 0.9  # not block by block


def test_held_out_rows_never_come(X):
    rows = stream(X, without=[3, 50, 51, 99])
    assert len(rows) == 96
    assert set(range(100)) - set(torch.cat(epoch(rows))[:, 0].tolist()) == {3, 50, 51, 99}


def test_rows_come_as_often_as_their_weights_say(X):
    weights = np.where(np.arange(100) < 50, 0.5, 1.5)
    n_epochs = 40
    counts = np.zeros(100)
    for seed in range(n_epochs):
        seen = torch.cat(epoch(stream(X, without=[0], weights=weights), seed))[:, 0].int()
        assert len(seen) == 99
        counts += np.bincount(seen.numpy(), minlength=100)
    expected = 99 * weights[1:] / weights[1:].sum() * n_epochs
    np.testing.assert_allclose(counts[1:], expected, atol=1 + 4 * np.sqrt(n_epochs / 4))
    assert counts[0] == 0


def test_what_is_known_comes_with_its_rows(X):
    def prepare(rows):
        known = rows % 30 != 0
        return np.where(known, rows, -1.0), known if not known.all() else None

    for x, known in stream(X, prepare=prepare).batches(generator(0), 16):
        known = torch.ones_like(x) if known is None else known
        assert torch.equal(known == 0, x == -1)
