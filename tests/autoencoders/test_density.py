"""Fits of the density to codes and residuals."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from skae.autoencoders._density import (
    DENSITIES,
    code_density,
    residual_variance,
    share_in_span,
)


def describe(X, n_components):
    """Principal components of centred rows, their residuals, deviations and decoder."""
    variance, axes = np.linalg.eigh(np.cov(X, rowvar=False))
    variance, axes = variance[::-1][:n_components], axes[:, ::-1][:, :n_components].T
    std = np.sqrt(variance)
    return X @ axes.T / std, X - X @ axes.T @ axes, std, axes


def fitted(kind, X, n_components, support_fraction=1.0):
    W, R, std, axes = describe(X, n_components)
    density = code_density(
        kind,
        W,
        R,
        lambda W: np.tile(std[:, None] * axes, (len(W), 1, 1)),
        code_std=std,
        largest=std[0] ** 2,
        support_fraction=support_fraction,
        seed=0,
        n_probes=32,
    )

    def log_density(X):
        W, R = X @ axes.T / std, X - X @ axes.T @ axes
        J = torch.tensor(std[:, None] * axes).expand(len(X), -1, -1)
        return density(torch.tensor(W), torch.tensor(R), lambda: J).numpy()

    return log_density


@pytest.fixture
def rows():
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    X = rng.normal(size=(400, 6)) @ np.diag([3.0, 2.0, 1.0, 0.5, 0.5, 0.5]) @ axes
    return X - X.mean(axis=0)


@pytest.mark.parametrize("kind", DENSITIES)
def test_of_a_gaussian_every_kind_finds_the_gaussian(kind, rows):
    expected = multivariate_normal(np.zeros(6), np.cov(rows, rowvar=False)).logpdf(rows)
    found = fitted(kind, rows, 3)(rows)
    assert abs(np.mean(found - expected)) < 0.1
    assert np.corrcoef(found, expected)[0, 1] > 0.95


def test_full_sees_what_depends_where_diagonal_does_not():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2000, 4)) @ np.diag([5.0, 1.0, 1.0, 0.1])
    X[:, 1:] = X[:, 1:] @ np.linalg.qr(rng.normal(size=(3, 3)))[0]
    X -= X.mean(axis=0)
    exact = multivariate_normal(np.zeros(4), np.cov(X, rowvar=False)).logpdf(X).mean()
    assert fitted("full", X, 1)(X).mean() > exact - 0.05
    assert fitted("diagonal", X, 1)(X).mean() < exact - 0.5


def test_diagonal_finds_each_features_noise():
    """Factor analysis: two strong factors, and noise of its own on each feature."""
    rng = np.random.default_rng(0)
    noise = np.array([0.1, 0.2, 0.5, 1.0, 0.1, 0.3, 0.2, 0.4, 0.1, 0.6])
    loadings = 3 * rng.normal(size=(2, 10))
    X = rng.normal(size=(5000, 2)) @ loadings + noise * rng.normal(size=(5000, 10))
    X -= X.mean(axis=0)
    exact = multivariate_normal(np.zeros(10), loadings.T @ loadings + np.diag(noise**2))
    assert fitted("diagonal", X, 2)(X).mean() > exact.logpdf(X).mean() - 0.6
    assert fitted("isotropic", X, 2)(X).mean() < exact.logpdf(X).mean() - 1.5


def test_a_mixture_sees_groups():
    rng = np.random.default_rng(0)
    X = np.vstack([rng.normal(m, 0.3, size=(300, 3)) for m in (-4, 0, 4)])
    X -= X.mean(axis=0)
    between = np.full((1, 3), 2.0)
    for kind, lower in (("full", False), ("mixture", True)):
        log_density = fitted(kind, X, 1)
        assert (log_density(between)[0] < np.percentile(log_density(X), 0.5)) == lower


@pytest.mark.parametrize("kind", DENSITIES)
def test_central_rows_make_it_robust(kind, rows):
    """A tenth of far rows moves an ordinary fit, and hardly one to the central rows."""
    rng = np.random.default_rng(1)
    far = np.vstack([rows, rng.normal(size=(40, 6)) + 12])
    clean = fitted(kind, rows, 3)(rows)
    robust = fitted(kind, far, 3, support_fraction=0.8)
    assert np.median(robust(rows)) > np.median(fitted(kind, far, 3)(rows))
    assert robust(far[400:]).max() < np.percentile(robust(rows), 1)
    assert np.corrcoef(robust(rows), clean)[0, 1] > 0.5


@pytest.mark.parametrize("kind", DENSITIES)
def test_it_is_finite_without_variance(kind):
    X = np.zeros((20, 4))
    X[:, 0] = np.linspace(-1, 1, 20)
    assert np.isfinite(fitted(kind, X, 1)(X + 0.1)).all()


def test_residual_variance_counts_the_dimensions_left():
    assert residual_variance(np.ones(11), (11, 5), 3) == 11 / 10 / 2
    assert residual_variance(np.ones(11), (11, 3), 3) == 0


def test_the_share_of_axes_in_a_span_is_the_projections_diagonal():
    rng = np.random.default_rng(0)
    J = rng.normal(size=(4, 3, 6))
    J[1, 2] = J[1, 0] - 2 * J[1, 1]  # a plane
    J[2] = 0
    shares = share_in_span(J)
    for vectors, share in zip(J, shares, strict=True):
        assert_allclose(share, np.diag(np.linalg.pinv(vectors) @ vectors), atol=1e-12)
    assert_allclose(shares.sum(axis=1), [3, 2, 0, 3])
