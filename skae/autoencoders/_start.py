"""Where training starts: units that suit every table, and principal axes."""

import warnings
from typing import NamedTuple

import numpy as np
import torch
from sklearn import config_context
from sklearn.exceptions import ConvergenceWarning

from skae.autoencoders._components import principal_components
from skae.autoencoders._table import mean_of
from skae.nn import Corruption
from skae.training import standardized, to_numpy, to_tensor

EXACT = 128
"""Features up to which factor analysis, which decomposes often, decomposes exactly."""


class Units(NamedTuple):
    """A shift for each feature and one scale for all, so that features keep their relative sizes.

    Parameters
    ----------
    location : ndarray of shape (n_features,), float64
        What is subtracted.
    scale : float
        What the difference is divided by; positive.
    """

    location: np.ndarray
    scale: float

    @property
    def zero(self) -> np.ndarray:
        """What stands for 0 in these units, of shape (n_features,)."""
        return -self.location / self.scale

    @property
    def shared(self) -> list[int] | None:
        """Which column each cell is from, where several share one; None is one each."""
        return None

    @property
    def of_rows(self) -> tuple[np.ndarray, float]:
        """What is subtracted from rows, and what they are divided by."""
        return self.location, self.scale

    def standardized(self, X: np.ndarray) -> np.ndarray:
        """Rows in these units, in float64."""
        return standardized(X, self.location, self.scale)

    @property
    def squared_scale(self) -> float:
        """Of variances; infinity, not an error, where the scale is beyond 1e154."""
        with np.errstate(over="ignore"):
            return float(np.square(np.float64(self.scale)))

    @classmethod
    def of(cls, X: np.ndarray, weights: np.ndarray | None = None) -> "Units":
        """The mean of X and the root mean square of what is left.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows; NaN is missing, and no column is without a value.
        weights : ndarray of shape (n_samples,) or None
            Of the rows.

        Returns
        -------
        units : Units
            With scale 1 where X does not vary beyond rounding, or not by a normal number.

        Raises
        ------
        ValueError
            If values are so large that distances between them may overflow.
        """
        largest = max(float(np.nanmax(X)), -float(np.nanmin(X))) or 1.0
        limits = np.finfo(X.dtype)
        if largest > float(limits.max) / (100 * np.sqrt(X.shape[1])):
            raise ValueError(
                f"X reaches {largest:g}, which is too near to {limits.max:g}, the largest of "
                f"{X.dtype}, to compute with; divide X by a constant."
            )
        # divided first: the square of 1e200 overflows and that of 1e-200 is zero
        # from the first row: rows that are all equal differ by exactly nothing
        known = X[np.isnan(X).argmin(axis=0), np.arange(X.shape[1])]
        first = (known / largest).astype(np.float64)
        departure = np.subtract(X / largest, first, dtype=np.float64)
        mean = mean_of(departure, weights)
        location = first + mean
        departure -= mean
        variance = mean_of(np.square(departure, out=departure), weights)
        spread = float(np.sqrt(variance.mean()))
        rounding = 10 * float(limits.eps) * float(np.abs(location).max())
        varies = spread > rounding and spread * largest > float(limits.tiny)
        return cls(location * largest, spread * largest if varies else 1.0)


class Axes(NamedTuple):
    """A linear autoencoder: reads what it is shown, and writes along axes from the mean.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Of the rows.
    components : ndarray of shape (n_components, n_features)
        One axis a row; zero where the rows are too few to have that many.
    seen_mean : ndarray of shape (n_features,)
        Mean of what is read.
    reader : ndarray of shape (n_components, n_features)
        One linear form a row.
    """

    mean: np.ndarray
    components: np.ndarray
    seen_mean: np.ndarray
    reader: np.ndarray

    def narrowed(self, n_components: int) -> "Axes":
        """The first ones: the best linear autoencoder with a narrower code."""
        components, reader = self.components[:n_components], self.reader[:n_components]
        return self._replace(components=components, reader=reader)


def principal_axes(X: np.ndarray, n_components: int, random_state) -> Axes:
    """Principal axes.

    Parameters
    ----------
    X, random_state
        See `principal_components`.
    n_components : int
        How many axes.

    Returns
    -------
    axes : Axes
        What is read is what is written.
    """
    pca = principal_components(X, min(n_components, *X.shape), random_state)
    components = padded(pca.components_, n_components)
    return Axes(pca.mean_, components, pca.mean_, components)


def denoising_axes(X: np.ndarray, n_components: int, corruption: Corruption) -> Axes:
    r"""The linear autoencoder that does best on corrupted rows: a regression of reduced rank.

    .. math:: \min_{\mathrm{rank}\, W \le k} \mathbb{E} \|x - \mu - W (\tilde x - \tilde\mu)\|^2
        \quad\Rightarrow\quad W = V V^\top C S^{-1}, \qquad
        C = \mathrm{Cov}(x, \tilde x), \; S = \mathrm{Cov}(\tilde x)

    where V holds the leading eigenvectors of :math:`C S^{-1} C^\top`, one a column. For Gaussian
    noise W is ridge regression's (Wiener's) filter, cut to rank k.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Clean rows.
    n_components : int
        The rank k.
    corruption : Corruption
        In float64, on the CPU.

    Returns
    -------
    axes : Axes
        The components are V's columns, and the reader is :math:`V^\top C S^{-1}`.

    References
    ----------
    .. [1] Izenman (1975). Reduced-rank regression for the multivariate linear model. Journal of
       Multivariate Analysis 5.
    """
    mean = X.mean(axis=0)
    covariance = to_tensor((X - mean).T @ (X - mean) / len(X), dtype=torch.float64)
    seen_mean, cross, seen = corruption.moments(covariance)
    values, vectors = torch.linalg.eigh(seen)
    certain = values > torch.finfo(values.dtype).eps * len(values) * values[-1]
    inverse = torch.where(certain, 1 / values.where(certain, torch.ones_like(values)), 0.0)
    filter_ = (cross @ vectors * inverse) @ vectors.T
    _, axes = np.linalg.eigh(to_numpy(filter_ @ cross.T))
    components = padded(axes.T[::-1][: min(n_components, *X.shape)], n_components)
    offset = to_numpy(seen_mean - corruption.mean)
    return Axes(mean, components, mean + offset, components @ to_numpy(filter_))


class Factors(NamedTuple):
    """A linear factor model.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Of the rows.
    loadings : ndarray of shape (n_components, n_features)
        One factor a row, orthogonal under the noise's precision; zero where there is none.
    noise : ndarray of shape (n_features,)
        Variances of the noise, positive.
    nudge : ndarray of shape (n_components, n_features)
        What to read into components that have no factor: a code that reads nothing and is not
        read either would stay so. Its variance over the rows is 0.01; zero for the others.
    """

    mean: np.ndarray
    loadings: np.ndarray
    noise: np.ndarray
    nudge: np.ndarray


def factor_model(X: np.ndarray, n_components: int, noise: str, random_state) -> Factors:
    """Probabilistic PCA or factor analysis, found by scikit-learn.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    n_components : int
        How many factors.
    noise : {"isotropic", "diagonal", "bernoulli"}
        Whether all features have the same noise variance, as in probabilistic PCA, or each its own,
        as in factor analysis, or that of a coin with the feature's mean.
    random_state : RandomState
        For the randomised solvers and the nudge.

    Returns
    -------
    factors : Factors
        The most likely ones.
    """
    n_found = min(n_components, *X.shape)
    variance = X.var(axis=0)
    floor = 1e-12 * float(variance.mean()) or 1e-12
    if noise == "diagonal" and len(X) > 1:
        loadings, psi = _factor_analysis(X, n_found, random_state)
    else:
        loadings, psi = _probabilistic_pca(X, n_found, random_state)
    mean = X.mean(axis=0)
    if noise == "bernoulli":
        psi = (mean * (1 - mean)).clip(0.02)
    psi = np.maximum(psi, floor)
    _, rotation = np.linalg.eigh((loadings / psi) @ loadings.T)
    loadings = padded(rotation.T[::-1] @ loadings, n_components)
    silent = ((loadings**2 / psi).sum(axis=1) < 0.01)[:, None]
    scale = np.sqrt((variance + psi) * X.shape[1])
    nudge = 0.1 * silent * random_state.standard_normal(loadings.shape) / scale
    return Factors(mean, loadings, psi, nudge * (variance > floor))


def _probabilistic_pca(X: np.ndarray, n_found: int, random_state) -> tuple[np.ndarray, np.ndarray]:
    """Loadings of shape (n_found, n_features), and the noise variance of each feature."""
    from sklearn.decomposition import PCA  # here: half a second to import

    model = PCA(n_found, random_state=random_state)
    with np.errstate(invalid="ignore", divide="ignore"):  # a single row has no variance ratios
        model.fit(X)
    variance = np.nan_to_num(model.explained_variance_)
    # with all components there is no noise: half of the least variance gives the same density
    left = model.noise_variance_ if n_found < min(X.shape) else variance.min() / 2
    psi = max(float(np.nan_to_num(left)), 0.0)
    loadings = np.sqrt(np.maximum(variance - psi, 0.0))[:, None] * model.components_
    return loadings, np.full(X.shape[1], psi)


def _factor_analysis(X: np.ndarray, n_found: int, random_state) -> tuple[np.ndarray, np.ndarray]:
    """Loadings of shape (n_found, n_features), and the noise variance of each feature."""
    from sklearn.decomposition import FactorAnalysis

    rows, share = covariance_alike(X)
    model = FactorAnalysis(
        n_found,
        svd_method="lapack" if X.shape[1] <= EXACT else "randomized",
        tol=0.01 * share,
        random_state=random_state,
    )
    with warnings.catch_warnings(), config_context(array_api_dispatch=False):
        warnings.simplefilter("ignore", ConvergenceWarning)  # it is only a start
        with np.errstate(divide="ignore", invalid="ignore"):  # features without variance
            model.fit(rows)
    return model.components_, model.noise_variance_


class Dictionary(NamedTuple):
    """Atoms around a mean.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Of the rows.
    atoms : ndarray of shape (n_components, n_features)
        Of unit norm, one a row.
    """

    mean: np.ndarray
    atoms: np.ndarray


def dictionary_of_rows(
    X: np.ndarray, n_components: int, random_state, *, random: bool
) -> Dictionary:
    """Rows as atoms, and mixtures of rows where these are too few; or directions at random.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    n_components : int
        How many atoms.
    random_state : RandomState
        Chooses.
    random : bool
        Whether to leave the rows alone, and take directions at random.

    Returns
    -------
    dictionary : Dictionary
        Around the mean of the rows.
    """
    mean = X.mean(axis=0)
    atoms = random_state.standard_normal((n_components, X.shape[1]))
    if not random:
        chosen = random_state.permutation(len(X))[:n_components]
        n_mixed = n_components - len(chosen)
        mixed = random_state.standard_normal((n_mixed, len(chosen))) @ (X[chosen] - mean)
        # the noise, of a hundredth, is all there is of rows that are the mean
        atoms = np.vstack([X[chosen] - mean, mixed / np.sqrt(len(chosen))]) + 0.01 * atoms
    return Dictionary(mean, atoms / np.linalg.norm(atoms, axis=1, keepdims=True))


def covariance_alike(X: np.ndarray) -> tuple[np.ndarray, float]:
    """Fewer rows with the same covariance, mean 0, and their number as a share of X's.

    A likelihood of Gaussians sees nothing else of X.
    """
    n_samples, n_features = X.shape
    centred = X - X.mean(axis=0)
    if n_samples <= 2 * n_features:
        return centred, 1.0
    root = np.linalg.qr(centred, mode="r") * np.sqrt(n_features / n_samples)
    return np.vstack([root, -root]), 2 * n_features / n_samples


def moments_alike(X: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Rows without weights that have the mean and the covariance of rows with weights.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    weights : ndarray of shape (n_samples,)
        Of mean 1.

    Returns
    -------
    alike : ndarray of shape (n, n_features)
        What a linear start sees of X, and nothing else.
    """
    mean = np.average(X, axis=0, weights=weights)
    rows = np.sqrt(weights)[:, None] * (X - mean)
    root = covariance_alike(np.vstack([rows, -rows]))[0]
    return root + mean


def padded(rows: np.ndarray, n_rows: int) -> np.ndarray:
    """Some rows, and zeros below, of shape (n_rows, n_columns)."""
    out = np.zeros((n_rows, rows.shape[1]))
    out[: len(rows)] = rows
    return out
