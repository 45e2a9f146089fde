"""The density behind `score_samples`."""

from typing import NamedTuple

import numpy as np


class CodeDensity(NamedTuple):
    r"""A Gaussian over the code and one over what the code leaves out.

    .. math:: \log p(x) = -\tfrac12 \Bigl[ \sum_j \bigl(w_j^2 + \log \lambda_j\bigr)
        + \tfrac{\|x - \hat x\|^2}{\sigma^2} + (d - k) \log \sigma^2 + d \log 2\pi \Bigr]

    for a code w that is divided by its standard deviations.

    For a linear decoder it is the density of probabilistic PCA [1]_.

    Parameters
    ----------
    variance : ndarray of shape (n_components,)
        :math:`\lambda`, the output variance that each component drives.
    noise_variance : float
        :math:`\sigma^2`, that of each of the d - k dimensions left out.

    References
    ----------
    .. [1] Tipping & Bishop (1999). Probabilistic principal component analysis, eq. 4. JRSS B 61.
    """

    variance: np.ndarray
    noise_variance: float

    def log_density(
        self, W: np.ndarray, squared_residual: np.ndarray, n_features: int
    ) -> np.ndarray:
        """Logarithm of the density.

        Parameters
        ----------
        W : ndarray of shape (n, n_components)
            Codes over their standard deviations, so that a typical value is 1.
        squared_residual : ndarray of shape (n,)
            Squared distance of each sample from its reconstruction.
        n_features : int
            Dimension d of the data.

        Returns
        -------
        log_density : ndarray of shape (n,)
            In nats.
        """
        # A likelihood needs a floor: a variance of exactly zero would make it infinite.
        largest = max(float(self.variance.max()), self.noise_variance)
        floor = np.finfo(np.float64).eps * largest if largest > 0 else 1.0
        variance = np.maximum(self.variance, floor)
        noise_variance = max(self.noise_variance, floor)
        n_left = max(n_features - len(variance), 0)
        distance = (W**2).sum(axis=1) + squared_residual / noise_variance
        volume = np.log(variance).sum() + n_left * np.log(noise_variance)
        return -0.5 * (distance + volume + n_features * np.log(2 * np.pi))


def residual_variance(
    squared_residual: np.ndarray, shape: tuple[int, int], n_components: int
) -> float:
    """Variance of each dimension that the code leaves out, as PCA counts it.

    Parameters
    ----------
    squared_residual : ndarray of shape (n_samples,)
        Squared distance of each training row from its reconstruction.
    shape : tuple of two ints
        Of the training data.
    n_components : int
        Width of the code.

    Returns
    -------
    noise_variance : float
        0 where the code leaves nothing out.
    """
    n_samples, n_left = shape[0], min(shape) - n_components
    if n_left <= 0 or n_samples < 2:
        return 0.0
    return float(squared_residual.sum()) / (n_samples - 1) / n_left
