"""The canonical basis, where linear algebra knows the answer."""

import numpy as np
from numpy.testing import assert_allclose

from skae.autoencoders._canonical import canonical_basis


def linear(B):
    """The metric and the slopes of codes times B."""
    return lambda Z, directions: (directions @ B @ B.T @ directions.T, directions @ B)


def waves(Z, directions):
    """The average metric and slopes of the sine of nine times the codes."""
    J = 9 * np.cos(9 * Z)[:, None] * directions
    return np.einsum("naf,nbf->ab", J, J) / len(Z), J.mean(axis=0)


def test_a_linear_decoder_gets_its_singular_values():
    """Any mixing of the codes is undone: the axes are those of the decoder's output."""
    rng = np.random.default_rng(0)
    Z, B = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 3)) + 5, rng.normal(size=(3, 6))
    output = Z @ B
    explained = output.var(axis=0, ddof=1).sum()
    basis = canonical_basis(Z, linear(B), explained=explained, whiten=False, seed=0)
    expected = np.linalg.svd(output - output.mean(axis=0), compute_uv=False)[:3] ** 2 / 199
    assert_allclose(basis.variance, expected)
    new = (Z - basis.center) @ basis.matrix
    assert_allclose(np.cov(new.T), np.diag(expected), atol=1e-8)
    assert_allclose(basis.matrix @ basis.inverse, np.eye(3), atol=1e-10)


def test_signs_do_not_depend_on_the_codes_signs():
    rng = np.random.default_rng(0)
    Z, B = rng.normal(size=(50, 2)), rng.normal(size=(2, 4))
    settings = {"explained": 1.0, "whiten": False, "seed": 0}
    one = canonical_basis(Z, linear(B), **settings)
    flip = np.diag([-1.0, 1.0])
    other = canonical_basis(Z @ flip, linear(flip @ B), **settings)
    assert_allclose(Z @ one.matrix, Z @ flip @ other.matrix)


def test_a_code_that_never_varies_stays_invertible():
    Z = np.column_stack([np.arange(9.0), np.zeros(9)])
    basis = canonical_basis(Z, linear(np.eye(2)), explained=1.0, whiten=True, seed=0)
    assert_allclose(basis.matrix @ basis.inverse, np.eye(2), atol=1e-12)


def test_variances_sum_to_what_is_explained_however_bent_the_decoder():
    Z = np.random.default_rng(0).normal(size=(100, 2))
    basis = canonical_basis(Z, waves, explained=0.7, whiten=False, seed=0)
    assert_allclose(basis.variance.sum(), 0.7)
    new = (Z - basis.center) @ basis.matrix
    assert_allclose(np.cov(new.T), np.diag(basis.variance), atol=1e-8)
