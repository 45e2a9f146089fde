"""Densities of pairs, where the density of the rows is known."""

import math

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from skae.nn import GaussianDensity, SpikeAndSlabDensity, slopes
from skae.nn._density import CODES_AT_ONCE

DOUBLE = torch.float64


def normal(*shapes):
    rng = torch.Generator().manual_seed(0)
    return [torch.randn(shape, dtype=DOUBLE, generator=rng) for shape in shapes]


def density(mean, covariance, n_components, weight=None):
    """Gaussians over pairs, from means of shape (c, p) and a covariance of shape (p, p)."""
    mean, covariance = (torch.as_tensor(a, dtype=DOUBLE) for a in (mean, covariance))
    weight = torch.ones(len(mean), dtype=DOUBLE) / len(mean) if weight is None else weight
    return GaussianDensity(
        code_std=torch.ones(n_components, dtype=DOUBLE),
        log_height=weight.log() - 0.5 * torch.logdet(covariance),
        mean=mean,
        whitener=torch.linalg.inv(torch.linalg.cholesky(covariance)).mT,
        residual_covariance=covariance[n_components:, n_components:],
        floor=torch.tensor(0.0, dtype=DOUBLE),
    )


def constant(B):
    """The Jacobian of a linear decoder, at six rows."""
    return lambda: B.expand(6, -1, -1)


def test_slopes_of_a_nonlinear_decoder():
    (z,) = normal((5, 2))
    J = slopes(
        lambda z: torch.stack([z[:, 0].sin(), z[:, 0] * z[:, 1]], dim=1), z, torch.eye(2).double()
    )
    torch.testing.assert_close(J[:, 0], torch.stack([z[:, 0].cos(), z[:, 1]], dim=1))
    torch.testing.assert_close(J[:, 1], torch.stack([0 * z[:, 0], z[:, 0]], dim=1))


@pytest.mark.parametrize("n", [1, 100, CODES_AT_ONCE, CODES_AT_ONCE + 1])
def test_slopes_along_many_directions_at_once_are_those_along_each(n):
    z, directions = normal((n, 12), (12, 12))
    decode = torch.nn.Sequential(torch.nn.Linear(12, 5), torch.nn.Tanh()).double()
    with torch.no_grad():
        each = torch.cat([slopes(decode, z, u[None]) for u in directions], dim=1)
        torch.testing.assert_close(slopes(decode, z, directions), each, rtol=0, atol=1e-9)


def test_with_a_linear_decoder_it_is_the_gaussian_of_the_rows():
    """Whatever the covariance: code and residual are only another way to write a row."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(5, 5)))[0].T
    B = np.diag([3.0, 0.5]) @ axes[:2]  # what a code in units of its deviation is worth
    covariance = np.cov(rng.normal(size=(50, 5)) @ rng.normal(size=(5, 5)), rowvar=False)
    x = rng.normal(size=(7, 5))
    reader = np.linalg.pinv(B)
    pair = np.hstack([reader, np.eye(5) - reader @ B])  # rows times this are pairs
    full = pair.T @ covariance @ pair
    full[2:, 2:] += axes[:2].T @ axes[:2]  # what the residual does along the image is no matter
    w, r = np.split(x @ pair, [2], axis=1)
    found = density(np.zeros((1, 7)), full, 2)(
        torch.tensor(w), torch.tensor(r), lambda: torch.tensor(B).expand(7, -1, -1)
    )
    assert_allclose(found, multivariate_normal(np.zeros(5), covariance).logpdf(x))


def test_the_diagonal_form_is_the_full_one():
    w, r, B, variance = normal((6, 2), (6, 4), (2, 4), (6,))
    variance = variance.square() + 0.5
    full = density(torch.zeros(1, 6), torch.diag(variance), 2)
    flat = GaussianDensity(
        code_std=torch.ones(2, dtype=DOUBLE),
        log_height=-0.5 * variance.log().sum()[None],
        mean=torch.zeros(1, 6, dtype=DOUBLE),
        whitener=variance**-0.5,
        residual_covariance=variance[2:],
        floor=torch.tensor(0.0, dtype=DOUBLE),
    )
    torch.testing.assert_close(flat(w, r, constant(B)), full(w, r, constant(B)))


def test_around_a_curve_it_integrates_to_one():
    """Of w and 0.3 w**2: its arc is longer than its parameter; and a little noise across it."""
    t = torch.linspace(-6, 6, 4001, dtype=DOUBLE)[:, None]
    across = torch.linspace(-0.3, 0.3, 301, dtype=DOUBLE)
    slope = torch.hstack([torch.ones_like(t), 0.6 * t])
    normal = torch.stack([-slope[:, 1], slope[:, 0]], dim=1) / slope.norm(dim=1, keepdim=True)
    covariance = torch.diag(torch.tensor([1.0, 0.05**2, 0.05**2]))
    one = density(torch.zeros(1, 3), covariance, 1)
    total, cell = 0.0, (t[1] - t[0]) * (across[1] - across[0])
    for a in across:
        p = one(t, a * normal, lambda: slope[:, None]).exp()
        # a step along the curve at a distance a from it
        curvature = 0.6 / slope.norm(dim=1) ** 3
        total += float((p * slope.norm(dim=1) * (1 - a * curvature)).sum() * cell)
    assert math.isclose(total, 1.0, abs_tol=0.01)


def test_a_mixture_is_the_sum_of_its_parts():
    w, r, B, mean, factor = normal((6, 2), (6, 3), (2, 3), (2, 5), (5, 5))
    covariance = factor @ factor.mT + torch.eye(5)
    weight = torch.tensor([0.3, 0.7], dtype=DOUBLE)
    together = density(mean, covariance, 2, weight)(w, r, constant(B))
    parts = [density(mean[c : c + 1], covariance, 2)(w, r, constant(B)) for c in (0, 1)]
    expected = sum(p * d.exp() for p, d in zip(weight, parts, strict=True))
    torch.testing.assert_close(together.exp(), expected)


def test_spike_and_slab_of_one_component_by_hand():
    one = SpikeAndSlabDensity(
        code_std=torch.ones(1),
        share=torch.tensor([0.25]),
        size=torch.tensor([2.0]),
        length=torch.tensor([3.0]),
        noise_variance=torch.tensor(0.5),
    )
    w, r = torch.tensor([[0.0], [1.0]]), torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    log_volume = math.log(2 * math.pi * 0.5)
    slab = math.log(0.25 / (2 * 2.0 * 3.0)) - 1 / 2.0 + 0.5 * log_volume
    expected = [math.log(0.75) - log_volume, slab - 5.0 - log_volume]
    assert_allclose(one(w, r, lambda: None), expected, rtol=1e-6)
