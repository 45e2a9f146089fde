"""Formulas against torch.distributions and hand arithmetic."""

import pytest
import torch
from torch.distributions import Bernoulli, Laplace, Normal

from skae.nn import RECONSTRUCTIONS


@pytest.fixture
def pair():
    rng = torch.Generator().manual_seed(0)
    return torch.rand(5, 3, generator=rng).double(), torch.rand(5, 3, generator=rng).double()


def test_squared_error_is_a_unit_gaussians_log_likelihood(pair):
    output, x = pair
    log_prob = Normal(output, 1.0).log_prob(x) - Normal(x, 1.0).log_prob(x)
    torch.testing.assert_close(RECONSTRUCTIONS["squared_error"].error(output, x), -log_prob)


def test_absolute_error_is_a_unit_laplaces_log_likelihood(pair):
    output, x = pair
    log_prob = Laplace(output, 1.0).log_prob(x) - Laplace(x, 1.0).log_prob(x)
    torch.testing.assert_close(RECONSTRUCTIONS["absolute_error"].error(output, x), -log_prob)


def test_cross_entropy_is_a_bernoullis_log_likelihood(pair):
    logits, x = pair
    expected = -Bernoulli(logits=logits).log_prob((x > 0.5).double())
    torch.testing.assert_close(
        RECONSTRUCTIONS["binary_cross_entropy"].error(logits, (x > 0.5).double()), expected
    )


def test_huber_is_quadratic_inside_and_linear_outside():
    x = torch.zeros(2, 1)
    error = RECONSTRUCTIONS["huber"].error(torch.tensor([[0.5], [3.0]]), x)
    torch.testing.assert_close(error, torch.tensor([[0.125], [2.5]]))


@pytest.mark.parametrize("name", RECONSTRUCTIONS)
def test_the_inverse_link_undoes_the_link_and_has_its_slope(name):
    link, inverse_link = RECONSTRUCTIONS[name].link, RECONSTRUCTIONS[name].inverse_link
    x = torch.tensor([0.1, 0.5, 0.9], dtype=torch.float64, requires_grad=True)
    value, slope = inverse_link(x)
    torch.testing.assert_close(link(value), x)
    torch.testing.assert_close(slope, torch.autograd.grad(value.sum(), x)[0])
