"""The density behind `score_samples`: Gaussians over the code and what it leaves out."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2
from sklearn import config_context
from sklearn.covariance import ledoit_wolf
from sklearn.exceptions import ConvergenceWarning

from skae.nn import GaussianDensity, SpikeAndSlabDensity
from skae.training import to_tensor

C_STEPS = 5
"""Refits on the most central rows; few change after that."""

MAX_COLUMNS = 2048
"""Widest pair of code and residual that covariances between all columns are estimated for."""

N_GAUSSIANS = 5
"""In a mixture."""

SMOOTHING = 1e-2
"""Added to the variances of a mixture's parts, as a share of the whole."""

PSEUDO_ROWS = 1.0
"""Rows with a residual of average size that each feature's own are pooled with."""


class Gaussians(NamedTuple):
    """Gaussians that share a covariance: see `skae.nn.GaussianDensity`.

    Parameters
    ----------
    log_height : ndarray of shape (n_gaussians,)
        Logarithms of their weights over the root of the determinant.
    mean : ndarray of shape (n_gaussians, p)
        Of the pair.
    whitener : ndarray of shape (p,) or (p, p)
        Of the pair.
    residual_covariance : ndarray of shape (n_features,) or (n_features, n_features)
        Of the residual alone.
    """

    log_height: np.ndarray
    mean: np.ndarray
    whitener: np.ndarray
    residual_covariance: np.ndarray

    def distances(self, pairs: np.ndarray) -> np.ndarray:
        """Squared, of shape (n_gaussians, n)."""
        if self.whitener.ndim == 1:
            white = [(pairs - mean) * self.whitener for mean in self.mean]
        else:
            white = [(pairs - mean) @ self.whitener for mean in self.mean]
        return np.stack([np.square(part).sum(axis=1) for part in white])

    def spread(self, factor: float) -> "Gaussians":
        """The same with the covariance multiplied by a factor."""
        return self._replace(
            log_height=self.log_height - 0.5 * self.mean.shape[1] * np.log(factor),
            whitener=self.whitener / np.sqrt(factor),
            residual_covariance=self.residual_covariance * factor,
        )


@dataclass(frozen=True, kw_only=True)
class Described:
    """Rows as an autoencoder describes them.

    Parameters
    ----------
    W : ndarray of shape (n, n_components)
        Codes over their standard deviations.
    R : ndarray of shape (n, n_features)
        Residuals.
    freedom : ndarray of shape (n_features,)
        Share of each feature's variance that the decoder's image leaves free, in [0, 1]; the mean
        is (d - k) / d.
    floor : float
        The least variance there is.
    """

    W: np.ndarray
    R: np.ndarray
    freedom: np.ndarray
    floor: float

    @property
    def pairs(self) -> np.ndarray:
        """Codes and residuals, side by side."""
        return np.hstack([self.W, self.R])

    def of(self, rows: np.ndarray) -> "Described":
        """Some of the rows."""
        return Described(W=self.W[rows], R=self.R[rows], freedom=self.freedom, floor=self.floor)

    def noise_variance(self) -> float:
        """Of each dimension that the code leaves out, as PCA counts it."""
        found = residual_variance(np.square(self.R).sum(axis=1), self.R.shape, self.W.shape[1])
        return max(found, self.floor)


def isotropic(rows: Described, seed: int) -> Gaussians:
    """One variance for all residuals."""
    return separate(rows, np.full(rows.R.shape[1], rows.noise_variance()))


def diagonal(rows: Described, seed: int) -> Gaussians:
    r"""A residual variance for each feature.

    .. math:: v_j = \frac{\sum_i r_{ij}^2 + \sigma^2}{(n - 1)\,(1 - h_j) + 1}

    where :math:`h_j` is what the decoder's image takes of feature j. Were the noise isotropic, this
    would be its variance, for every feature.
    """
    total = np.square(rows.R).sum(axis=0) + PSEUDO_ROWS * rows.noise_variance()
    counts = max(len(rows.R) - 1, 0) * rows.freedom + PSEUDO_ROWS
    return separate(rows, np.maximum(total / counts, rows.floor))


def separate(rows: Described, residual_variance: np.ndarray) -> Gaussians:
    """Independent components and residuals."""
    n_rows, n_components = rows.W.shape
    variance = rows.W.var(axis=0, ddof=1) if n_rows > 1 else np.ones(n_components)
    variance = np.where(variance > 0, variance, 1.0)
    mean = np.hstack([rows.W.mean(axis=0), np.zeros(len(residual_variance))])
    whitener = np.hstack([variance, residual_variance]) ** -0.5
    height = np.log(whitener).sum()
    return Gaussians(height[None], mean[None], whitener, residual_variance)


def full(rows: Described, seed: int) -> Gaussians:
    """One covariance for the code and the scaled residuals together, shrunk (Ledoit and Wolf)."""
    if sum(rows.W.shape[1:] + rows.R.shape[1:]) > MAX_COLUMNS or len(rows.W) < 2:
        return diagonal(rows, seed)
    mean, scale, covariance = shrunk(rows)
    return dense(np.ones(1), mean[None], covariance * np.outer(scale, scale), rows)


def mixture(rows: Described, seed: int) -> Gaussians:
    """A few Gaussians, found where the whole is white."""
    from sklearn.mixture import GaussianMixture  # slow to import

    n_rows = len(rows.W)
    if sum(rows.W.shape[1:] + rows.R.shape[1:]) > MAX_COLUMNS or n_rows < 2 * N_GAUSSIANS:
        return full(rows, seed)
    mean, scale, covariance = shrunk(rows)
    values, axes = np.linalg.eigh(covariance)
    colour = (axes * np.sqrt(values)).T * scale
    white = (rows.pairs - mean) @ np.linalg.inv(colour)
    found = GaussianMixture(
        N_GAUSSIANS, covariance_type="tied", reg_covar=SMOOTHING, random_state=seed
    )
    with config_context(array_api_dispatch=False), warnings.catch_warnings():
        # repeated rows make empty groups, and any round of the algorithm leaves a density
        warnings.simplefilter("ignore", ConvergenceWarning)
        found.fit(white)
    covariance = colour.T @ found.covariances_ @ colour
    return dense(found.weights_, found.means_ @ colour + mean, covariance, rows)


def shrunk(rows: Described) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean of the pairs, units, and their covariance in these units."""
    pairs = rows.pairs
    scale = 1 / diagonal(rows, 0).whitener
    mean = pairs.mean(axis=0)
    covariance = ledoit_wolf((pairs - mean) / scale, assume_centered=True)[0]
    return mean, scale, covariance + np.finfo(float).eps ** 0.5 * np.eye(len(mean))


def dense(
    weights: np.ndarray, means: np.ndarray, covariance: np.ndarray, rows: Described
) -> Gaussians:
    """Gaussians with covariances between all columns."""
    k = rows.W.shape[1]
    whitener = np.linalg.inv(np.linalg.cholesky(covariance)).T
    heights = np.log(weights) + np.log(np.diag(whitener)).sum()
    return Gaussians(heights, means, whitener, covariance[k:, k:])


DENSITIES: dict[str, Callable[[Described, int], Gaussians]] = {
    "isotropic": isotropic,
    "diagonal": diagonal,
    "full": full,
    "mixture": mixture,
}


def central(kind: str, rows: Described, support_fraction: float, seed: int) -> Gaussians:
    """Gaussians fitted to the most central rows: the concentration steps of robust covariance.

    Parameters
    ----------
    kind : key of ``DENSITIES``
        What is fitted.
    rows : Described
        All of them.
    support_fraction : float
        Share of the rows that count, in (0, 1]; 1 is an ordinary fit.
    seed : int
        Starts a mixture.

    Returns
    -------
    found : Gaussians
        Spread so that the median distance of all rows is that of a normal distribution.

    References
    ----------
    .. [1] Rousseeuw & Van Driessen (1999). A fast algorithm for the minimum covariance determinant
       estimator. Technometrics 41.
    """
    n_kept = max(2, int(np.ceil(support_fraction * len(rows.W))))
    if n_kept >= len(rows.W):
        return DENSITIES[kind](rows, seed)
    # a mixture would give outliers that come in groups a part of their own
    whole, pairs = "full" if kind == "mixture" else kind, rows.pairs
    found = DENSITIES[whole](rows, seed)
    for _ in range(C_STEPS):
        central_rows = rows.of(np.argsort(found.distances(pairs)[0], kind="stable")[:n_kept])
        found = DENSITIES[whole](central_rows, seed)
    if kind != whole:
        found = DENSITIES[kind](central_rows, seed)
    n_dimensions = max(rows.W.shape[1], rows.R.shape[1])
    factor = np.median(found.distances(pairs).min(axis=0)) / chi2.median(n_dimensions)
    return found.spread(factor) if factor > 0 else found


def code_density(
    kind: str,
    W: np.ndarray,
    R: np.ndarray,
    jacobian: Callable,
    *,
    code_std: np.ndarray,
    largest: float,
    support_fraction: float,
    seed: int,
    n_probes: int,
) -> GaussianDensity:
    """The density of rows, from their codes and residuals.

    Parameters
    ----------
    kind : key of ``DENSITIES``
        Which.
    W : ndarray of shape (n, n_components)
        Codes over their standard deviations.
    R : ndarray of shape (n, n_features)
        Residuals.
    jacobian : callable of W
        Derivatives of rows by codes such as W, of shape (n, n_components, n_features), or once if
        they are the same everywhere.
    code_std : ndarray of shape (n_components,)
        The standard deviations.
    largest : float
        Variance that the first component drives.
    support_fraction : float
        See `central`.
    seed : int
        Starts a mixture.
    n_probes : int
        Rows at which the decoder is differentiated.

    Returns
    -------
    density : GaussianDensity
        In float64.
    """
    taken = share_in_span(jacobian(W[:n_probes])).mean(axis=0)
    largest = max(largest, float(np.square(R).mean()))
    floor = np.finfo(np.float64).eps * largest if largest > 0 else 1.0
    rows = Described(W=W, R=R, freedom=(1 - taken).clip(0, 1), floor=floor)
    parts: dict[str, Any] = central(kind, rows, support_fraction, seed)._asdict()
    parts |= {"code_std": code_std, "floor": np.asarray(floor)}
    return GaussianDensity(**{name: to_tensor(part) for name, part in parts.items()})


def share_in_span(J: np.ndarray) -> np.ndarray:
    """How much of each axis lies in the span of some vectors: the diagonal of the projection.

    Parameters
    ----------
    J : ndarray of shape (n, n_vectors, n_features)
        Vectors, n times.

    Returns
    -------
    share : ndarray of shape (n, n_features)
        In [0, 1].
    """
    # of products, which are small: many times as fast as singular values
    squared, U = np.linalg.eigh(J @ J.swapaxes(1, 2))
    there = squared > 1e-14 * squared.max(initial=0.0)
    basis = U.swapaxes(1, 2) @ J / np.sqrt(np.where(there, squared, np.inf))[..., None]
    return np.square(basis).sum(axis=1)


def spike_and_slab(
    W: np.ndarray, length: np.ndarray, *, code_std: np.ndarray, noise_variance: float
) -> SpikeAndSlabDensity:
    """The density of rows with sparse codes.

    Parameters
    ----------
    W : ndarray of shape (n, n_components)
        Codes over their standard deviations.
    length : ndarray of shape (n_components,)
        What a W of 1 is in the units of the residual.
    code_std : ndarray of shape (n_components,)
        The standard deviations that make W of codes.
    noise_variance : float
        Of each feature, positive.

    Returns
    -------
    density : SpikeAndSlabDensity
        In float64.
    """
    n_used = (W != 0).sum(axis=0)
    parts: dict[str, Any] = {
        "code_std": code_std,
        "share": (n_used + 0.5) / (len(W) + 1),
        "size": (np.abs(W).sum(axis=0) / np.maximum(n_used, 1)).clip(1e-8),
        "length": length,
        "noise_variance": np.asarray(noise_variance),
    }
    return SpikeAndSlabDensity(**{name: to_tensor(part) for name, part in parts.items()})


def residual_variance(
    squared_residual: np.ndarray, shape: tuple[int, int], n_components: int
) -> float:
    """Variance of each dimension that the code leaves out, as PCA counts it.

    Parameters
    ----------
    squared_residual : ndarray of shape (n,)
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
    return float(squared_residual.mean()) * n_samples / (n_samples - 1) / n_left
