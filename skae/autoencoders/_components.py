"""Principal components, found by scikit-learn."""

from typing import Any

import numpy as np
import scipy.sparse as sp

MAX_COVARIANCES = 1000
"""Features up to which principal axes are found by all covariances, exactly."""


def principal_components(X: np.ndarray, n_components: int, random_state) -> Any:
    """A PCA of scikit-learn's, which is fitted.

    Parameters
    ----------
    X : {ndarray, sparse array} of shape (n_samples, n_features)
        Rows.
    n_components : int
        How many components, at most as many as there are.
    random_state : RandomState or int
        For the randomised solver, which is taken where there are very many features.

    Returns
    -------
    pca : sklearn.decomposition.PCA
        Where scikit-learn would be content with random projections, exact all the same if there are
        more rows than features: that takes less time, too.
    """
    from sklearn.decomposition import PCA  # here, as it takes half a second to import

    n_samples, n_features = X.shape
    at_random = max(X.shape) > 500 and n_components < 0.8 * min(X.shape)
    solver = "auto"
    if sp.issparse(X):
        solver = "arpack"
    elif at_random and n_features <= min(n_samples, MAX_COVARIANCES):
        solver = "covariance_eigh"
    pca = PCA(n_components, svd_solver=solver, random_state=random_state)
    with np.errstate(invalid="ignore", divide="ignore"):  # a single row has no variance ratios
        return pca.fit(X)
