"""PCA's curve, to hold an autoencoder's against."""

from collections.abc import Callable, Sequence
from copy import copy
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split


def pca_scores(
    head: Any,
    widths: Sequence[int],
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
    X: Any,
    y: Any,
    scorer: Callable,
) -> np.ndarray:
    """Scores of PCA in an autoencoder's place, with one decomposition a split.

    Parameters
    ----------
    head : Pipeline or None
        What comes before.
    widths : sequence of int
        Numbers of components.
    splits : sequence of pairs of ndarrays of int
        Rows to learn from, and rows to judge by.
    X, y : array-like of n_samples rows
        All rows, and what the scorer may want, or None.
    scorer : callable of an estimator, rows, and targets if there are any
        Gives a number.

    Returns
    -------
    scores : ndarray of shape (n_widths, n_splits)
        NaN where PCA cannot be fitted or scored.
    """
    scores = np.full((len(widths), len(splits)), np.nan)
    for j, (train, test) in enumerate(splits):
        try:
            (rows, targets), judges = (_safe_split(PCA(), X, y, part) for part in (train, test))
            before = None if head is None else clone(head)
            cells = np.asarray(
                rows if before is None else before.fit_transform(rows, targets), np.float64
            )
            most = min(max(widths), *cells.shape)
            # the solver is the exact one: a randomised one's last components are only rough
            pca = PCA(most, svd_solver="covariance_eigh" if wide(cells) else "full").fit(cells)
        except (ValueError, TypeError):
            continue  # gaps, categories, a single row
        for i, width in enumerate(widths):
            if width > most:
                continue
            model = narrowed(pca, width, cells)
            if before is not None:
                model = Pipeline([*before.steps, ("pca", model)])
            try:
                scores[i, j] = scorer(model, *(part for part in judges if part is not None))
            except Exception:  # whatever a user's scorer asks for that PCA does not have
                continue
    return scores


def wide(X: np.ndarray) -> bool:
    """Whether X has so many rows that the covariance is the short way."""
    return len(X) > 2 * X.shape[1]


def narrowed(pca: PCA, n_components: int, X: np.ndarray) -> PCA:
    """A PCA with fewer components, as if fitted with as many to the same rows.

    Parameters
    ----------
    pca : PCA
        Fitted.
    n_components : int
        How many, at most as many as there are.
    X : ndarray of shape (n_samples, n_features)
        The rows.

    Returns
    -------
    pca : PCA
        Another one.
    """
    narrow = copy(pca).set_params(n_components=n_components)
    for name in (
        "components_",
        "explained_variance_",
        "explained_variance_ratio_",
        "singular_values_",
    ):
        setattr(narrow, name, getattr(pca, name)[:n_components])
    left = X.var(axis=0, ddof=1).sum() - narrow.explained_variance_.sum()
    n_left = min(X.shape) - n_components
    narrow.noise_variance_ = max(float(left) / n_left, 0.0) if n_left else 0.0
    narrow.n_components_ = n_components
    return narrow
