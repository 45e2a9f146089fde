"""Rows with missing cells: the Gaussian that completes them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, sqrt

import numpy as np
from torch import Tensor

from skae.autoencoders._table import expanded
from skae.nn import GaussianFill
from skae.training import generator, map_rows, rows_at_once, slices, to_numpy, to_tensor

MAX_FACTORS = 64
"""Of the Gaussian; it is any Gaussian up to as many features and one more."""

MAX_FEATURES = 512
"""Up to which all covariances are estimated."""

MAX_ROWS = 5000
"""With which covariances are estimated where cells are missing."""

N_ROUNDS = 30
"""Of expectation and maximisation, at most."""

TOLERANCE = 1e-3
"""Change of the correlations, root mean square, at which these end."""

FLOOR = 1e-6
"""Least noise of a feature, as a share of its variance."""


@dataclass(frozen=True, kw_only=True)
class Whole:
    """Rows without gaps.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features), float64
        Rows, completed.
    known : ndarray of shape (n_samples, n_features), bool, or None
        Which cells are no fillings; None is all.
    fill : GaussianFill
        What they were completed by, and others can be.
    """

    X: np.ndarray
    known: np.ndarray | None
    fill: GaussianFill

    @classmethod
    def by(cls, X: np.ndarray, fill: GaussianFill) -> "Whole":
        """Complete some rows by what is known already."""
        known = ~np.isnan(X)
        if known.all():
            return cls(X=X, known=None, fill=fill)
        return cls(X=mapped(fill, X, fill), known=known, fill=fill)

    @classmethod
    def of(cls, X: np.ndarray, weights: np.ndarray | None = None, *, within: np.ndarray) -> "Whole":
        """Complete some rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows; NaN is missing. Each column has a cell that is not.
        weights : ndarray of shape (n_samples,) or None
            Of the rows.
        within : ndarray of shape (2, n_features)
            Least and largest value that missing cells of each column may get.

        Returns
        -------
        whole : Whole
            All of them.
        """
        some = X if weights is None else X[expanded(weights, len(X))]
        return cls.by(X, gaussian_fill(some, *within))

    def drawn(self) -> np.ndarray:
        """Rows whose missing cells are drawn from what they may be: they vary as whole ones do."""
        if self.known is None:
            return self.X
        rng = generator(0)
        return mapped(
            lambda x: self.fill.draw(x, rng), np.where(self.known, self.X, np.nan), self.fill
        )


def gaussian_fill(X: np.ndarray, low: np.ndarray, high: np.ndarray) -> GaussianFill:
    r"""The Gaussian that completes rows, as likely as can be, its correlations shrunk.

    Features are scaled to unit variance. In rounds, missing cells are completed by their means,
    their uncertainty is added to the covariance (the EM algorithm [1]_), and correlations are
    shrunk towards zero by as much as their number of cells asks for [2]_.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows; NaN is missing. Where there are many, some at even distances count.
    low, high : ndarray of shape (n_features,)
        What missing cells are kept within.

    Returns
    -------
    fill : GaussianFill
        In float64.

    References
    ----------
    .. [1] Schneider (2001). Analysis of incomplete climate data: estimation of mean values and
       covariance matrices and imputation of missing values. Journal of Climate 14.
    .. [2] Chen, Wiesel, Eldar & Hero (2010). Shrinkage algorithms for MMSE covariance estimation,
       eq. 23. IEEE Transactions on Signal Processing 58.
    """
    X = X[:: ceil(len(X) / MAX_ROWS)]
    X = np.vstack([X, 0.5 * (low + high)]) if np.isnan(X).all(axis=0).any() else X
    mean, deviation = np.nanmean(X, axis=0), np.nanstd(X, axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)
    Y = (X - mean) / scale
    fill = model_of(np.nan_to_num(Y), np.zeros(Y.shape[1]))
    if np.isnan(Y).any():
        fill = by_expectation(Y, fill)
    return GaussianFill(
        mean=to_tensor(mean + scale * to_numpy(fill.mean)),
        loadings=to_tensor(to_numpy(fill.loadings) * scale),
        noise=to_tensor(to_numpy(fill.noise) * scale**2),
        low=to_tensor(low),
        high=to_tensor(high),
    )


def by_expectation(Y: np.ndarray, fill: GaussianFill) -> GaussianFill:
    """Rounds of expectation and maximisation, from a Gaussian that takes gaps for zeros."""
    missing = np.isnan(Y)
    rows = Y[missing.any(axis=1)]
    for _ in range(N_ROUNDS):
        before = correlations(fill)
        doubt: np.ndarray = np.zeros(Y.shape[1:] * (2 if Y.shape[1] <= MAX_FEATURES else 1))
        for some in slices(len(rows), rows_at_once(fill.loadings.numel())):
            x = to_tensor(rows[some])
            gaps = x.isnan().double()
            spread = (fill.factors(x).covariance_root @ (fill.loadings * gaps[:, None])).flatten(
                0, 1
            )
            own = (gaps * fill.noise).sum(dim=0)
            if doubt.ndim == 1:
                doubt += to_numpy(spread.square().sum(dim=0) + own)
            else:
                doubt += to_numpy(spread.T @ spread + own.diag())
        fill = model_of(mapped(fill, Y, fill), doubt / len(Y), float(1 - missing.mean()))
        if np.sqrt(np.mean(np.square(correlations(fill) - before))) < TOLERANCE:
            break
    return fill


def correlations(fill: GaussianFill) -> np.ndarray:
    """Some of them: between the features and the first hundred."""
    W = to_numpy(fill.loadings)
    return W[:, :100].T @ W


def mapped(function: Callable[[Tensor], Tensor], X: np.ndarray, fill: GaussianFill) -> np.ndarray:
    """A function of rows with gaps; on the way, each takes as many numbers as its regression."""
    width = max(X.shape[1], fill.loadings.numel())
    return map_rows(function, X, dtype=np.dtype(np.float64), width=width, device="cpu")


def model_of(whole: np.ndarray, doubt: np.ndarray, known: float = 1.0) -> GaussianFill:
    """The factor model of completed rows, whose covariance is larger by some doubt.

    Parameters
    ----------
    whole : ndarray of shape (n, n_features)
        Completed rows.
    doubt : ndarray of shape (n_features,) or (n_features, n_features)
        Mean covariance of what they were completed with, or its diagonal.
    known : float
        Share of the cells that are known, in (0, 1].

    Returns
    -------
    fill : GaussianFill
        Without limits.
    """
    n_samples, n_features = whole.shape
    mean = whole.mean(axis=0)
    if n_features <= MAX_FEATURES:
        covariance = (whole - mean).T @ (whole - mean) / n_samples
        covariance += doubt if doubt.ndim == 2 else np.diag(doubt)
        loadings, noise = factors_of(shrunk(covariance, n_samples * known))
    else:
        from sklearn.utils.extmath import randomized_svd  # slow to import

        n_factors = min(MAX_FACTORS, n_samples)
        _, size, axes = randomized_svd(whole - mean, n_factors, random_state=0)
        loadings = (size / sqrt(n_samples))[:, None] * axes
        noise = whole.var(axis=0) + doubt - np.square(loadings).sum(axis=0)
    tensors = {"mean": mean, "loadings": loadings, "noise": np.maximum(noise, FLOOR)}
    wide = np.full(n_features, np.inf)
    tensors |= {"low": -wide, "high": wide}
    return GaussianFill(**{name: to_tensor(part) for name, part in tensors.items()})


def factors_of(covariance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Loadings and noise variances of a covariance; exact for up to `MAX_FACTORS` + 1 features."""
    n_features = len(covariance)
    values, axes = np.linalg.eigh(covariance)
    n_factors = max(1, min(MAX_FACTORS, n_features - 1))
    shared = max(float(values[0]), 0.0) if n_factors >= n_features - 1 else 0.0
    size = np.sqrt(np.maximum(values[::-1][:n_factors] - shared, 0.0))
    loadings = size[:, None] * axes.T[::-1][:n_factors]
    return loadings, np.diag(covariance) - np.square(loadings).sum(axis=0)


def shrunk(covariance: np.ndarray, n_rows: float) -> np.ndarray:
    """Correlations drawn to zero by oracle approximating shrinkage, variances as they are."""
    p, deviation = len(covariance), np.sqrt(np.diag(covariance))
    if p == 1:
        return covariance
    outer = np.outer(deviation, deviation)
    R = np.divide(covariance, outer, out=np.eye(p), where=outer > 0)
    square = np.square(R).sum()
    denominator = (n_rows + 1 - 2 / p) * (square - p)
    share = 1.0 if denominator <= 0 else min(1.0, ((1 - 2 / p) * square + p**2) / denominator)
    return covariance * (1 - share * (1 - np.eye(p)))
