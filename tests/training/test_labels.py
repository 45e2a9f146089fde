"""Batches of rows with labels."""

import pytest
import torch

from skae.training import LabelledRows


def make(n=11, weights=None, known=None):
    x = torch.arange(n, dtype=torch.float32)[:, None].expand(n, 2)
    labels = torch.full((n,), -1)
    labels[[2, 5]] = torch.tensor([0, 1])
    return LabelledRows(x, known, weights, labels=labels)


def seeded():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize("batch_size", [2, 4, 5, 11])
def test_every_other_row_has_a_label_which_the_others_are_shown_without(batch_size):
    batches = list(make().batches(seeded(), batch_size))
    assert len(batches) == -(-11 // batch_size)
    for x, known in batches:
        assert known is None and x.shape[1] == 3 and len(x) <= batch_size + 1 and len(x) >= 2
        assert (x[::2, 2] == -1).all() and torch.equal(x[::2, 0], x[::2, 1])
        assert all(label == {2: 0, 5: 1}[int(row)] for row, _, label in x[1::2])
    plain = torch.cat([x[::2, 0] for x, _ in batches])
    assert len(plain.unique()) >= 5  # of all rows, those with labels included
    assert len(plain.unique()) >= len(plain) - len(batches)


def test_weights_say_how_often_a_row_is_met():
    weights = torch.ones(11, dtype=torch.float64)
    weights[5], weights[0] = 9.0, 20.0
    rng, plain, drawn = seeded(), [], []
    for _ in range(300):
        for x, _ in make(weights=weights).batches(rng, 4):
            plain.append(x[::2, 0])
            drawn.append(x[1::2, 0])
    plain, drawn = torch.cat(plain), torch.cat(drawn)
    assert abs(float((drawn == 5).float().mean()) - 0.9) < 0.03
    assert abs(float((plain == 0).float().mean()) - 20 / 38) < 0.03


def test_what_is_known_of_cells_stays_beside_its_row():
    known = torch.rand(11, 2, generator=seeded()) < 0.5
    for x, part in make(known=known).batches(seeded(), 4):
        assert torch.equal(part, known[x[:, 0].long()].float())


def test_held_out_rows_have_their_labels():
    rows = make().of(torch.tensor([5, 7]))
    x, known = rows.batch(slice(0, 2))
    assert known is None and x.tolist() == [[5, 5, 1], [7, 7, -1]]


def test_without_any_label_rows_are_just_rows():
    x = torch.cat([x for x, _ in make().of(torch.tensor([0, 1, 3])).batches(seeded(), 2)])
    assert x.shape == (3, 2) and sorted(x[:, 0].tolist()) == [0, 1, 3]
