"""The bound and its parts against torch.distributions."""

import pytest
import torch
from test_networks import make as make_coders
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence

from skae.nn import LIKELIHOODS, VariationalAutoencoder
from skae.nn._networks import coders
from skae.nn._variational import kl_to_standard_normal, log_mean_exp


def make(loss="squared_error", **changes):
    rng = torch.Generator().manual_seed(0)
    encoder, decoder = coders(
        4,
        2,
        hidden_layer_sizes=(5,),
        decoder_layer_sizes=(5,),
        activation="tanh",
        normalization=None,
        dropout=0.0,
        weight_init="xavier",
        tied_weights=False,
        linear_path=False,
        custom=(None, None),
        rng=rng,
        n_outputs=4,
    )
    settings = {"noise": "diagonal", "beta": 1.0, "kl_warm_up": 0.0, "free_bits": 0.0}
    settings |= {"n_importance_samples": 1, "n_components": 2, "n_features": 4}
    module = VariationalAutoencoder(encoder, decoder, loss=loss, **settings | changes)
    if module.log_noise is not None:
        module.log_noise.data.copy_(torch.tensor([0.1, -0.1, 0.05, 0.0]) / 2)
    return module


def rows(n=6):
    return torch.rand(n, 4, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_the_divergence_is_that_of_torch_distributions():
    mean, log_var = rows()[:, :2] - 0.5, rows()[:, 2:] - 0.5
    expected = kl_divergence(Normal(mean, (0.5 * log_var).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(kl_to_standard_normal(mean, log_var), expected)


def distribution(module, output):
    if module.log_noise is None:
        return Bernoulli(logits=output)
    kind = Normal if module.likelihood.variance == 1 else Laplace
    return kind(output, module.noise_scale)


@pytest.mark.parametrize("loss", LIKELIHOODS)
def test_likelihoods_are_those_of_torch_distributions(loss):
    module, output, x = make(loss), rows() * 3 - 1, (rows() > 0.5).double()
    expected = -distribution(module, output).log_prob(x).sum(dim=1)
    torch.testing.assert_close(module.negative_log_likelihood(output, x), expected)


@pytest.mark.parametrize("loss", LIKELIHOODS)
def test_draws_have_the_mean_and_variance_of_the_likelihood(loss):
    module = make(loss)
    output = rows(1).expand(200_000, 4)
    x = module.likelihood.draw(output, module.noise_scale, torch.Generator().manual_seed(0))
    expected = distribution(module, output[0])
    torch.testing.assert_close(x.mean(dim=0), expected.mean, atol=0.01, rtol=0)
    torch.testing.assert_close(x.var(dim=0), expected.variance, atol=0.1, rtol=0)


@pytest.mark.parametrize("loss", LIKELIHOODS)
def test_importance_weights_are_ratios_of_densities(loss):
    module, x = make(loss), (rows() > 0.5).double()
    mean, log_var = module.posterior(x)
    draws = torch.randn(3, 6, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    q = Normal(mean, (0.5 * log_var).exp())
    z = q.mean + q.stddev * draws
    expected = Normal(0.0, 1.0).log_prob(z).sum(dim=2) - q.log_prob(z).sum(dim=2)
    for i in range(3):
        expected[i] += distribution(module, module.output(z[i])).log_prob(x).sum(dim=1)
    torch.testing.assert_close(module.log_weights(x, mean, log_var, draws), expected)


def test_the_loss_is_minus_the_bound():
    """Terms of the loss with many draws: the ELBO, and the importance-weighted bound above it."""
    x = rows(3).repeat(20_000, 1)
    rng = torch.Generator().manual_seed(0)
    elbo = -sum(term.detach() for term in make().loss(x, rng).values())
    draws = torch.randn(20_000, 2, generator=rng, dtype=torch.float64)
    expected = make().log_likelihood_bound(rows(3), draws, importance=False).mean()
    torch.testing.assert_close(elbo, expected.detach(), atol=0.02, rtol=0)
    bound = -make(n_importance_samples=10).loss(x[:9000], rng)["bound"].detach()
    likelihood = make().log_likelihood_bound(rows(3), draws, importance=True).mean().detach()
    assert elbo < bound < likelihood


def test_the_error_of_rows_averages_to_the_loss(monkeypatch):
    monkeypatch.setattr(VariationalAutoencoder, "defended", lambda self, bound, x, weight: bound)
    module, x = make(beta=0.5), rows(3).repeat(20_000, 1)
    loss = sum(t.detach() for t in module.loss(x, torch.Generator().manual_seed(0)).values())
    error = module.error(x, torch.Generator().manual_seed(0)).mean().detach()
    torch.testing.assert_close(error, loss)


def test_beta_of_zero_leaves_the_reconstruction_alone():
    terms = make(beta=0.0).loss(rows(), torch.Generator())
    assert terms["kl"].item() == 0 and terms["reconstruction"].item() != 0


def test_free_bits_are_not_charged():
    rng = torch.Generator().manual_seed(0)
    mean, log_var = make().posterior(rows())
    kl = kl_to_standard_normal(mean, log_var).mean(dim=0)
    most = kl.detach().max()
    charged = make(free_bits=most.item()).loss(rows(), rng)["kl"]
    torch.testing.assert_close(charged.detach(), 2 * most)


def test_the_mean_of_exponentials_does_not_overflow():
    weights = torch.tensor([[1000.0], [1000.0 + torch.log(torch.tensor(3.0))]])
    torch.testing.assert_close(
        log_mean_exp(weights), torch.tensor([1000.0]) + torch.tensor(2.0).log()
    )


def test_a_plain_autoencoder_is_no_likelihood():
    assert VariationalAutoencoder.is_likelihood and not make_coders().is_likelihood
