"""The density against scipy's."""

import numpy as np
from numpy.testing import assert_allclose
from scipy.stats import multivariate_normal

from skae.autoencoders._density import CodeDensity, residual_variance


def test_it_is_a_gaussian_along_the_code_and_across_it():
    variance, noise_variance = np.array([3.0, 2.0]), 0.5
    x = np.random.default_rng(0).normal(size=(6, 4))
    expected = multivariate_normal(np.zeros(4), np.diag([3.0, 2.0, 0.5, 0.5])).logpdf(x)
    density = CodeDensity(variance, noise_variance)
    W, residual = x[:, :2] / np.sqrt(variance), (x[:, 2:] ** 2).sum(axis=1)
    assert_allclose(density.log_density(W, residual, 4), expected)


def test_a_variance_of_zero_gives_a_finite_density():
    density = CodeDensity(np.array([1.0, 0.0]), 0.0)
    assert np.isfinite(density.log_density(np.zeros((1, 2)), np.ones(1), 5)).all()
    assert np.isfinite(CodeDensity(np.zeros(1), 0.0).log_density(np.zeros((1, 1)), np.zeros(1), 2))


def test_residual_variance_counts_the_dimensions_left():
    assert residual_variance(np.ones(11), (11, 5), 3) == 11 / 10 / 2
    assert residual_variance(np.ones(11), (11, 3), 3) == 0
