"""Slopes of encoders, against automatic differentiation of another kind."""

import pytest
import torch
from test_networks import PLAIN, make
from torch.func import functional_call, jacrev, vmap

from skae.nn import ContractiveAutoencoder, coders
from skae.nn._contractive import squared_jacobian_norm


def rows(n=6):
    return torch.randn(n, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def rng():
    return torch.Generator().manual_seed(0)


def contractive(weight=1.0, n_probes=None, **settings):
    parts = coders(4, 2, **PLAIN | settings, rng=rng())
    return ContractiveAutoencoder(*parts, contraction_weight=weight, n_probes=n_probes)


def bent(**settings):
    """One whose network is not silent."""
    return contractive(linear_path=False, activation="tanh", **settings)


def by_jacrev(encoder, parameters, x):
    def encode(row):
        return functional_call(encoder, parameters, (row[None],))[0]

    return vmap(jacrev(encode))(x).square().sum(dim=(1, 2))


def test_the_penalty_of_a_linear_encoder_is_the_squared_norm_of_its_weights():
    module, x = contractive(weight=0.3, hidden_layer_sizes=(), decoder_layer_sizes=()), rows()
    W = module.encoder.path.weight
    penalty = module.penalty(x, module.encode(x), rng())["contraction"]
    assert module.encoder.network is None
    torch.testing.assert_close(penalty, (0.3 * W.square().sum()).expand(6))
    general = squared_jacobian_norm(module.encode, x, rng=rng())
    torch.testing.assert_close(general, W.square().sum().expand(6))


def test_the_norm_is_that_of_jacrev_and_so_is_its_gradient():
    module, x = bent(), rows()
    parameters = dict(module.encoder.named_parameters())
    found = module.slope(x, rng())
    expected = by_jacrev(module.encoder, parameters, x)
    torch.testing.assert_close(found, expected)
    weights = [module.encoder.network.layers[i].weight for i in range(3)]
    torch.testing.assert_close(
        torch.autograd.grad(found.sum(), weights), torch.autograd.grad(expected.sum(), weights)
    )


def test_the_estimate_is_unbiased():
    """A mean of 4,000 estimates, within four standard errors, of each row and of the gradient."""
    module, x = bent(), rows()
    exact, draws = module.slope(x, rng()), torch.Generator().manual_seed(3)
    many = squared_jacobian_norm(module.encode, x.repeat(4000, 1), rng=draws, n_probes=1)
    estimates = many.reshape(4000, 6)
    error = estimates.std(dim=0) / 4000**0.5
    assert (estimates.std(dim=0) > 0.05 * exact).all()
    assert ((estimates.mean(dim=0) - exact).abs() < 4 * error).all()
    weight = module.encoder.network.layers[0].weight
    (found,) = torch.autograd.grad(many.mean(), weight)
    (expected,) = torch.autograd.grad(exact.mean(), weight)
    torch.testing.assert_close(found, expected, atol=0.02 * expected.abs().max().item(), rtol=0)
    halves = squared_jacobian_norm(module.encode, x.repeat(4000, 1), rng=draws, n_probes=2)
    assert (halves.reshape(4000, 6).std(dim=0) < 0.8 * estimates.std(dim=0)).all()


def test_slopes_are_those_of_the_encoder_that_transforms():
    """Not of one with dropout, nor of one that sees the other rows of a batch."""
    module, x = bent(normalization="batch", dropout=0.5).train(), rows()
    before = [b.clone() for b in module.buffers()]
    found = module.slope(x, rng())
    assert module.training and all(part.training for part in module.modules())
    torch.testing.assert_close(list(module.buffers()), before)
    torch.testing.assert_close(found[:2], module.slope(x[:2], rng()))
    torch.testing.assert_close(found, module.eval().slope(x, rng()))


def test_the_charge_is_in_the_loss_and_in_the_held_out_error():
    module, x = bent(weight=0.5).eval(), rows()
    plain = module.reconstruction_error(x, rng())
    charge = 0.5 * module.slope(x, rng())
    torch.testing.assert_close(module.error(x, rng()), plain + charge)
    terms = module.loss(x, rng())
    torch.testing.assert_close(terms["contraction"], charge.mean())
    with torch.no_grad():
        torch.testing.assert_close(module.error(x, rng()), (plain + charge).detach())


def test_without_weight_it_is_the_plain_autoencoder():
    module, plain, x = contractive(weight=0.0), make(), rows()
    module.load_state_dict(plain.state_dict())
    torch.testing.assert_close(module.error(x, rng()), plain.error(x, rng()))


@pytest.mark.parametrize("n_probes", [None, 2])
def test_differentiates_only_where_gradients_are_wanted(n_probes):
    module = bent(n_probes=n_probes)
    with torch.no_grad():
        assert not module.slope(rows(), rng()).requires_grad
    assert module.slope(rows(), rng()).requires_grad
