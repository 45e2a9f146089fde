"""Errors in a frozen module's features, where these are known."""

import torch
from test_networks import make
from torch import nn

from skae.nn import PerceptualError

LOCATION = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=torch.float64)


def rows(seed):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(5, 4, generator=rng, dtype=torch.float64)


def test_with_the_identity_it_is_the_squared_error():
    error = PerceptualError(nn.Identity(), LOCATION, 3.0)
    weight = rows(2).abs()
    weight[:, 0] = 0
    plain = make()
    for w in (None, weight):
        torch.testing.assert_close(error(rows(0), rows(1), w), plain.compare(rows(0), rows(1), w))


def test_it_is_the_distance_of_features_in_the_units_of_the_data():
    module = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Unflatten(1, (2, 3))).double()
    error = PerceptualError(module, LOCATION, 3.0)
    seen, target = (module(LOCATION + 3 * part) for part in (rows(0), rows(1)))
    expected = 0.5 * (seen - target).square().sum(dim=(1, 2)) / 9
    torch.testing.assert_close(error(rows(0), rows(1)), expected)


def test_cells_without_weight_have_no_part():
    error = PerceptualError(nn.Linear(4, 2), LOCATION, 3.0)
    weight = torch.ones(5, 4, dtype=torch.float64)
    weight[:, 1] = 0
    target, other = rows(1), rows(1)
    other[:, 1] += 1e3
    assert torch.equal(error(rows(0), target, weight), error(rows(0), other, weight))


def test_the_module_is_copied_frozen_and_never_in_training():
    given = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.5))
    module = make()
    module.perceptual = PerceptualError(given, LOCATION, 3.0)
    module.train()
    assert not any(part.training for part in module.perceptual.modules())
    (turn,) = module.phases()[0]
    moving = {id(p) for p in turn.parameters}
    assert not any(id(p) in moving for p in module.perceptual.parameters())
    assert len(moving) == len(list(make().parameters()))
    assert all(p.requires_grad and p.dtype == torch.float32 for p in given.parameters())
