"""Standard normal numbers over which bounds are averaged: few that do the work of many."""

import numpy as np
from sklearn.utils import check_random_state

N_DRAWS = 64
"""Codes that the expectation in the ELBO is averaged over, at least."""


def draws_for_bound(n_components: int, n_draws: int) -> np.ndarray:
    """Standard normal numbers that fill the space more evenly than independent ones.

    Parameters
    ----------
    n_components : int
        Width of the code.
    n_draws : int
        How many.

    Returns
    -------
    draws : ndarray of shape (n_draws, n_components)
        A scrambled Sobol sequence's quantiles.
    """
    from scipy.stats import norm, qmc  # here, as they take a third of a second to import

    sobol = qmc.Sobol(n_components, rng=np.random.default_rng(0))
    return norm.ppf(sobol.random_base2(max(1, (n_draws - 1).bit_length()))[:n_draws])


def draws_for_elbo(n_components: int, n_draws: int = 1) -> np.ndarray:
    """Standard normal numbers whose mean is 0 and whose covariance is I, exactly.

    Parameters
    ----------
    n_components : int
        Width of the code.
    n_draws : int, default=1
        Not used: the ELBO is an expectation, whatever its estimate takes.

    Returns
    -------
    draws : ndarray of shape (n_draws, n_components)
        At least ``N_DRAWS`` rows, and at least four a component.
    """
    half = check_random_state(0).standard_normal(
        (max(N_DRAWS // 2, 2 * n_components), n_components)
    )
    factor = np.linalg.cholesky(half.T @ half / len(half))
    half = np.linalg.solve(factor, half.T).T
    return np.vstack([half, -half])
