"""Shares of cells, where calculus knows them."""

import numpy as np
import torch
from numpy.testing import assert_allclose

from skae.nn import shares_along_path
from skae.nn._attribution import gauss_legendre


def test_the_quadrature_is_numpys():
    nodes, weights = np.polynomial.legendre.leggauss(7)
    found = np.array(gauss_legendre(7))
    assert_allclose(found, np.column_stack([(nodes + 1) / 2, weights / 2]), atol=1e-14)


def test_of_a_gaussian_they_are_a_quadratic_form():
    rng = np.random.default_rng(0)
    A = rng.normal(size=(4, 4))
    precision, x, mean = torch.tensor(A @ A.T), torch.tensor(rng.normal(size=(5, 4))), torch.ones(4)

    def log_density(x):
        return -0.5 * ((x - mean) @ precision * (x - mean)).sum(dim=1)

    shares = shares_along_path(log_density, x, mean.double())
    torch.testing.assert_close(shares, 0.5 * (x - mean) * ((x - mean) @ precision))


def test_they_add_up_where_the_quadrature_is_not_exact():
    x = torch.tensor([[30.0, -2.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64)

    def log_density(x):
        return -(x - 0.123).abs().relu().sum(dim=1) - (5 * x).sin().sum(dim=1)

    typical = torch.zeros(3, dtype=torch.float64)
    shares = shares_along_path(log_density, x, typical)
    total = log_density(typical[None]) - log_density(x)
    torch.testing.assert_close(shares.sum(dim=1), total)
    assert shares[0, 0] > 15 and shares[0, 2] == 0
    assert (shares[1] == 0).all(), "a typical row has nothing to explain"
