"""Codes that can be read like principal components."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from sklearn.utils import check_random_state

PROBES = 2**15
"""Decoder evaluations, rows times components, that the average pull-back metric is worth."""


class Basis(NamedTuple):
    r"""An invertible affine map of codes, :math:`z \mapsto (z - c)\,T`.

    Parameters
    ----------
    center : ndarray of shape (n_components,)
        The mean code :math:`c`.
    matrix, inverse : ndarray of shape (n_components, n_components)
        :math:`T` and :math:`T^{-1}`.
    variance : ndarray of shape (n_components,)
        Output variance that each new component drives, largest first.
    std : ndarray of shape (n_components,)
        Standard deviation of each new component over the rows.
    """

    center: np.ndarray
    matrix: np.ndarray
    inverse: np.ndarray
    variance: np.ndarray
    std: np.ndarray


def jacobian(decode: Callable, Z: np.ndarray, directions: np.ndarray) -> np.ndarray:
    r"""Derivatives of a decoder along some directions, by central differences.

    They ask nothing of the decoder but values, so any module will do; in float64 they are good to
    about 1e-9 of the decoder's output.

    Parameters
    ----------
    decode : callable
        Maps codes of shape (n, n_components) to outputs of shape (n, n_features), in float64.
    Z : ndarray of shape (n, n_components)
        Where.
    directions : ndarray of shape (n_directions, n_components)
        Along what.

    Returns
    -------
    J : ndarray of shape (n_directions, n, n_features)
        :math:`J_{d}(z) = \partial_t\, g(z + t\,u_d)` at :math:`t = 0`.
    """
    step = 1e-4
    return np.stack(
        [(decode(Z + step * u) - decode(Z - step * u)) / (2 * step) for u in directions]
    )


def canonical_basis(
    Z: np.ndarray, decode: Callable, *, explained: float, whiten: bool, seed: int
) -> Basis:
    r"""The basis in which a code reads like principal components.

    With :math:`z = c + w\,S` for codes :math:`w` that are white over the rows of Z, the metric that
    the decoder g pulls back from data space is averaged over some of these rows,

    .. math:: M = \mathbb{E}\bigl[J(w)^\top J(w)\bigr], \qquad J = \partial g(c + wS) / \partial w,

    and its eigenvectors R, largest eigenvalue first, are the new axes: components are centred,
    uncorrelated and sorted by the output variance that they drive. To first order this is the
    eigenvalue; as a bent decoder goes back and forth over the same ground, the eigenvalues are
    scaled to sum to the variance that is explained in truth. It is also their own variance, unless
    whitened. For a linear decoder all this is principal component analysis.
    As in scikit-learn's PCA, each axis points where its largest mean loading is positive.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_components), float64
        Codes of the training rows.
    decode : callable
        Maps codes to outputs, both ndarrays of float64.
    explained : float
        Variance that the reconstructions explain in all; not used unless positive.
    whiten : bool
        Whether components get unit variances.
    seed : int
        Chooses the rows at which the decoder is differentiated.

    Returns
    -------
    basis : Basis
        In float64.
    """
    n_samples, n_components = Z.shape
    center = Z.mean(axis=0)
    variance, axes = np.linalg.eigh((Z - center).T @ (Z - center) / max(n_samples - 1, 1))
    spread = std_of(variance)
    unwhiten = spread[:, None] * axes.T

    n_rows = min(n_samples, max(32, PROBES // n_components))
    rows = check_random_state(seed).choice(n_samples, n_rows, replace=False)
    J = jacobian(decode, Z[rows], unwhiten)
    metric = np.einsum("anf,bnf->ab", J, J, optimize=True) / n_rows
    driven, rotation = np.linalg.eigh(metric)
    driven, rotation = np.maximum(driven[::-1], 0.0), rotation[:, ::-1]
    if explained > 0 and driven.sum() > 0:
        driven = driven * (explained / driven.sum())

    loadings = rotation.T @ J.mean(axis=1)
    signs = np.sign(np.take_along_axis(loadings, np.abs(loadings).argmax(axis=1)[:, None], axis=1))
    rotation = rotation * np.where(signs == 0, 1.0, signs).T

    std = std_of(driven)
    width = np.ones_like(std) if whiten else std
    return Basis(
        center=center,
        matrix=(axes / spread) @ rotation * width,
        inverse=(rotation / width).T @ unwhiten,
        variance=driven,
        std=width,
    )


def std_of(variance: np.ndarray) -> np.ndarray:
    """Square roots, kept from zero: what is divided by them must stay finite.

    Parameters
    ----------
    variance : ndarray of shape (n,)
        Not negative but for rounding.

    Returns
    -------
    std : ndarray of shape (n,)
        At least 1e-8 of the largest; ones if there is no variance at all.
    """
    largest = variance.max()
    return np.sqrt(np.maximum(variance, 1e-16 * largest)) if largest > 0 else np.ones_like(variance)
