"""Codes that can be read like principal components."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_random_state

from skae.nn import CodeMap, CodeOrder, Tensors
from skae.training import to_tensor

PROBES = 2**13
"""Slopes of the decoder, rows times components, that the average pull-back metric is worth."""


@dataclass(frozen=True, kw_only=True)
class CodeAxes:
    """The components that a code is read in, and what they drive.

    Parameters
    ----------
    variance : ndarray of shape (n_components,)
        Output variance that each component drives, largest first.
    std : ndarray of shape (n_components,)
        Standard deviation of each component over the rows.
    """

    variance: np.ndarray
    std: np.ndarray

    def code_map(self, unit: float) -> Tensors:
        """The map from a module's codes to these components, times a unit."""
        raise NotImplementedError

    @property
    def effective_dimension(self) -> float:
        r"""The participation ratio of the variances, from 1 to their number; 0 if there are none.

        .. math:: \Bigl(\sum_j \lambda_j\Bigr)^2 \Big/ \sum_j \lambda_j^2
        """
        share = self.variance / (self.variance.max() or 1.0)  # whose squares are in range
        return float(share.sum() ** 2 / (np.square(share).sum() or 1.0))


@dataclass(frozen=True, kw_only=True)
class Basis(CodeAxes):
    r"""An invertible affine map of codes, :math:`z \mapsto (z - c)\,T`.

    Parameters
    ----------
    variance, std : ndarray of shape (n_components,)
        See `CodeAxes`.
    center : ndarray of shape (n_components,)
        The mean code :math:`c`.
    matrix, inverse : ndarray of shape (n_components, n_components)
        :math:`T` and :math:`T^{-1}`.
    """

    center: np.ndarray
    matrix: np.ndarray
    inverse: np.ndarray

    def code_map(self, unit: float) -> Tensors:
        return CodeMap(
            center=to_tensor(self.center),
            basis=to_tensor(self.matrix * unit),
            basis_inverse=to_tensor(self.inverse / unit),
        )


@dataclass(frozen=True, kw_only=True)
class Order(CodeAxes):
    """A module's own components in another order, each in a unit of its own.

    Parameters
    ----------
    variance, std : ndarray of shape (n_components,)
        See `CodeAxes`.
    order : ndarray of shape (n_components,), int64
        Which of the module's components comes first, second, and so on.
    width : ndarray of shape (n_components,)
        What each is multiplied by.
    """

    order: np.ndarray
    width: np.ndarray

    def code_map(self, unit: float) -> Tensors:
        return CodeOrder(order=to_tensor(self.order), width=to_tensor(self.width * unit))


def canonical_basis(
    Z: np.ndarray, pulled_back: Callable, *, explained: float, whiten: bool, seed: int
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
    pulled_back : callable of (Z, directions)
        The metric along directions of shape (n_directions, n_components), of shape
        (n_directions, n_directions), and the slopes themselves, of shape
        (n_directions, n_features), both averaged over some codes, in float64.
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
    metric, loadings = pulled_back(Z[rows], unwhiten)
    driven, rotation = np.linalg.eigh(metric)
    driven, rotation = np.maximum(driven[::-1], 0.0), rotation[:, ::-1]
    if explained > 0 and driven.sum() > 0:
        driven = driven * (explained / driven.sum())

    loadings = rotation.T @ loadings
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


def own_axes(
    Z: np.ndarray, pulled_back: Callable, *, explained: float, whiten: bool, seed: int
) -> Order:
    """A code's own components, sorted by the output variance that they drive, and nothing else.

    For codes that may not be mixed: sparse ones, and those that a prior has given axes.

    Parameters
    ----------
    Z, pulled_back, explained, whiten, seed
        See `canonical_basis`.

    Returns
    -------
    order : Order
        In float64.
    """
    n_samples, n_components = Z.shape
    variance = Z.var(axis=0, ddof=min(1, n_samples - 1))
    n_rows = min(n_samples, max(1, PROBES // 8 // n_components))
    rows = check_random_state(seed).choice(n_samples, n_rows, replace=False)
    metric, _ = pulled_back(Z[rows], np.eye(n_components))
    driven = variance * np.diag(metric)
    if explained > 0 and driven.sum() > 0:
        driven = driven * (explained / driven.sum())
    order = np.argsort(-driven, kind="stable")
    std = std_of(variance[order])
    return Order(
        variance=driven[order],
        std=np.ones_like(std) if whiten else std,
        order=order,
        width=1 / std if whiten else np.ones_like(std),
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
