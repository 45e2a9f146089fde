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

    @np.errstate(over="ignore")  # a row at 1e200 is as unlikely as can be: -inf
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


class SparseCodeDensity(NamedTuple):
    r"""A spike at zero and a Laplace slab for each component, and a Gaussian over the residual.

    .. math:: \log p(x) \approx \log \mathcal{N}(x - \hat x; 0, \sigma^2 I)
        + \sum_{z_j = 0} \log (1 - \rho_j)
        + \sum_{z_j \ne 0} \Bigl[\log \frac{\rho_j}{2 m_j} - \frac{|z_j|}{m_j}
        + \tfrac12 \log 2 \pi \sigma^2\Bigr]

    The last term is the volume over which a coefficient that is used may vary: Laplace's
    approximation to the integral over codes, as if a row's atoms were orthogonal.

    Parameters
    ----------
    share : ndarray of shape (n_components,)
        :math:`\rho`, how often a component is used, in (0, 1).
    size : ndarray of shape (n_components,)
        :math:`m`, its mean size when it is, over its standard deviation.
    std : ndarray of shape (n_components,)
        That standard deviation, in the units of the residual.
    noise_variance : float
        :math:`\sigma^2`, of each feature.
    """

    share: np.ndarray
    size: np.ndarray
    std: np.ndarray
    noise_variance: float

    @classmethod
    def of(cls, Z: np.ndarray, std: np.ndarray, noise_variance: float) -> "SparseCodeDensity":
        """The density of some codes.

        Parameters
        ----------
        Z : ndarray of shape (n_samples, n_components)
            Codes, in the units of the residual.
        std : ndarray of shape (n_components,)
            What they will be divided by.
        noise_variance : float
            Of each feature.
        """
        n_used = (Z != 0).sum(axis=0)
        mean_size = np.abs(Z).sum(axis=0) / np.maximum(n_used, 1)
        return cls((n_used + 0.5) / (len(Z) + 1), mean_size / std, std, noise_variance)

    @np.errstate(over="ignore")
    def log_density(
        self, W: np.ndarray, squared_residual: np.ndarray, n_features: int
    ) -> np.ndarray:
        """Logarithm of the density; see `CodeDensity.log_density`."""
        floor = np.finfo(np.float64).eps * float(np.square(self.std).max())
        noise_variance = max(self.noise_variance, floor)
        log_volume = np.log(2 * np.pi * noise_variance)
        log_size = np.log(2 * self.size.clip(1e-8) * self.std)
        slab = np.log(self.share) - log_size + 0.5 * log_volume
        used = W != 0
        code = np.where(used, slab - np.abs(W) / self.size.clip(1e-8), np.log1p(-self.share))
        residual = squared_residual / noise_variance + n_features * log_volume
        return code.sum(axis=1) - 0.5 * residual


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
