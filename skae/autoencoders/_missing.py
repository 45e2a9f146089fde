"""Rows with missing cells: the Gaussian that completes them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

import numpy as np
from torch import Tensor

from skae.autoencoders._components import principal_components
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

ROWS_OF_A_SIZE = 200
"""Whose systems of equations are made as large as the largest, to be solved together."""

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
    def of(
        cls,
        X: np.ndarray,
        weights: np.ndarray | None = None,
        *,
        within: np.ndarray | None = None,
    ) -> "Whole":
        """Complete some rows.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows; NaN is missing. Each column has a cell that is not.
        weights : ndarray of shape (n_samples,) or None
            Of the rows.
        within : ndarray of shape (2, n_features) or None
            Least and largest value that missing cells of each column may get; None is X's own.

        Returns
        -------
        whole : Whole
            All of them.
        """
        some = X if weights is None else X[expanded(weights, len(X))]
        if within is None:
            within = np.stack([np.nanmin(X, axis=0), np.nanmax(X, axis=0)])
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
    known, n_gaps = float(1 - missing.mean()), missing.sum(axis=1)
    order = np.argsort(n_gaps, kind="stable")  # rows with as many gaps come together
    Y, n_whole = Y[order], int((n_gaps == 0).sum())
    parts = slices(len(Y) - n_whole, rows_at_once(Y.shape[1] * len(fill.loadings)))
    # the smaller system of equations: one of the missing cells, or one of the factors
    by_cells = Y.shape[1] <= MAX_FEATURES and n_gaps.max() <= len(fill.loadings)
    expected = expected_by_cells if by_cells else expected_by_factors
    for _ in range(N_ROUNDS):
        before, whole = correlations(fill), Y.copy()
        doubt: np.ndarray = np.zeros(())
        for part in parts:
            rows = slice(n_whole + part.start, n_whole + part.stop)
            whole[rows], more = expected(Y[rows], fill)
            doubt = doubt + more
        fill = model_of(whole, doubt / len(Y), known)
        if np.sqrt(np.mean(np.square(correlations(fill) - before))) < TOLERANCE:
            break
    return fill


def expected_by_cells(Y: np.ndarray, fill: GaussianFill) -> tuple[np.ndarray, np.ndarray]:
    r"""Completed rows, and the sum of the covariances of what they were completed with.

    .. math:: x_m = \mu_m - K_{mm}^{-1} K_{mo} (x_o - \mu_o), \qquad C_{m|o} = K_{mm}^{-1}

    with the precision matrix K.

    Parameters
    ----------
    Y : ndarray of shape (n, n_features)
        Rows, each with a gap, by their number of gaps.
    fill : GaussianFill
        The Gaussian.

    Returns
    -------
    whole : ndarray of shape (n, n_features)
        The rows.
    doubt : ndarray of shape (n_features, n_features)
        The sum.
    """
    W, noise, mean = (to_numpy(part) for part in (fill.loadings, fill.noise, fill.mean))
    precision = np.linalg.inv(W.T @ W + np.diag(noise))
    whole, doubt = Y.copy(), np.zeros_like(precision)
    gaps = np.isnan(Y)
    pull = np.where(gaps, 0.0, Y - mean) @ precision
    columns = np.argsort(~gaps, axis=1, kind="stable")  # those that are missing first
    for rows in slices(len(Y), ROWS_OF_A_SIZE):
        n_gaps = gaps[rows].sum(axis=1).max()
        m = columns[rows, :n_gaps]
        real = np.take_along_axis(gaps[rows], m, axis=1)
        pair = real[:, :, None] & real[:, None, :]
        K = np.where(pair, precision[m[:, :, None], m[:, None, :]], np.eye(n_gaps))
        C = np.where(pair, np.linalg.inv(K), 0.0)
        guess = mean[m] - np.einsum("nij,nj->ni", C, np.take_along_axis(pull[rows], m, axis=1))
        old = np.take_along_axis(Y[rows], m, axis=1)
        np.put_along_axis(whole[rows], m, np.where(real, guess, old), axis=1)
        place = m[:, :, None] * len(precision) + m[:, None, :]
        doubt += np.bincount(place.ravel(), C.ravel(), precision.size).reshape(precision.shape)
    return whole, doubt


def expected_by_factors(Y: np.ndarray, fill: GaussianFill) -> tuple[np.ndarray, np.ndarray]:
    """The same, or the diagonal of the sum alone where there are many features."""
    x = to_tensor(Y)
    gaps = x.isnan().double()
    spread = fill.factors(x).covariance_root @ (fill.loadings * gaps[:, None])
    spread, own = spread.flatten(0, 1), (gaps * fill.noise).sum(dim=0)
    if Y.shape[1] > MAX_FEATURES:
        doubt = spread.square().sum(dim=0) + own
    else:
        doubt = spread.T @ spread + own.diag()
    return to_numpy(fill(x)), to_numpy(doubt)


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
        pca = principal_components(whole, min(MAX_FACTORS, n_samples), random_state=0)
        size = np.sqrt(pca.explained_variance_ * ((n_samples - 1) / n_samples))
        loadings = size[:, None] * pca.components_
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
