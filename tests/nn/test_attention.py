"""The transformer over features: a set of cells, whatever their order."""

import pytest
import torch

from skae.nn import FeatureTransformer


def make(silent=False, dropout=0.0):
    rng = torch.Generator().manual_seed(0)
    network = FeatureTransformer(4, 3, depth=2, dropout=dropout, rng=rng, silent=silent)
    for w in network.parameters():
        w.data.add_(0.1 * torch.randn(w.shape, generator=rng, dtype=w.dtype))
    return network.eval()


@pytest.fixture
def x():
    return torch.randn(5, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_the_order_of_features_has_no_part(x):
    network, expected, order = make(), make()(x), torch.tensor([2, 0, 3, 1])
    for tokens in (network.own, network.direction):
        tokens.data.copy_(tokens[order].clone())
    torch.testing.assert_close(network(x[:, order]), expected)


def test_every_feature_has_a_part(x):
    network = make()
    for j in range(4):
        moved = x.clone()
        moved[:, j] += 1
        assert (network(moved) - network(x)).abs().max() > 1e-3


def test_a_gap_is_a_token_and_not_a_value(x):
    network = make()
    hidden = x.clone()
    hidden[:, 1] = torch.nan
    assert network(hidden).isfinite().all()
    before = network(hidden)
    network.direction.data[1] += 1  # of values that are not there
    assert torch.equal(network(hidden), before)
    network.hidden.data.normal_(generator=torch.Generator().manual_seed(2))
    assert not torch.allclose(network(hidden), before)
    sum(network(hidden).sum(dim=0)).backward()
    assert all(w.grad.isfinite().all() for w in network.parameters())


def test_is_silent_at_first_and_drops_units_in_training_alone(x):
    rng = torch.Generator().manual_seed(0)
    network = FeatureTransformer(4, 3, depth=1, dropout=0.5, rng=rng, silent=True)
    assert (network(x) == 0).all()
    network = make(dropout=0.5)
    assert torch.equal(network(x), network(x))
    assert not torch.equal(network(x, torch.Generator()), network(x))
