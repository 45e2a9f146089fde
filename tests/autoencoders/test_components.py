"""Principal components are exact where that takes no longer."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA

from skae.autoencoders._components import principal_components


@pytest.mark.parametrize(
    ("shape", "n_components", "solver"),
    [
        ((700, 300), 20, "covariance_eigh"),  # which scikit-learn would project at random
        ((300, 700), 20, "auto"),  # fewer rows than features
        ((700, 300), 250, "auto"),  # nearly all components, which it decomposes
        ((400, 300), 20, "auto"),  # small, so that it decomposes, too
    ],
)
def test_all_covariances_where_there_are_more_rows_than_features(shape, n_components, solver):
    X = np.random.default_rng(0).normal(size=shape)
    pca = principal_components(X, n_components, np.random.RandomState(0))
    assert pca.svd_solver == solver
    if solver == "covariance_eigh":
        full = PCA(n_components, svd_solver="full").fit(X)
        assert_allclose(pca.components_, full.components_, atol=1e-8)
        assert_allclose(pca.explained_variance_, full.explained_variance_)


def test_wide_tables_are_projected_at_random(monkeypatch):
    monkeypatch.setattr("skae.autoencoders._components.MAX_COVARIANCES", 299)
    X = np.random.default_rng(0).normal(size=(700, 300))
    found, same = (principal_components(X, 5, np.random.RandomState(3)) for _ in range(2))
    assert found.svd_solver == "auto"
    assert_array_equal(found.components_, same.components_)
