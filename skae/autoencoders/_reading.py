"""How a trained module describes the rows that it was trained on."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from math import ceil
from typing import Any

import numpy as np

from skae.autoencoders._canonical import CodeAxes
from skae.nn import Autoencoder
from skae.training import map_rows, rows_at_once, slices, to_numpy, to_tensor

MAX_CELLS = 2**24
"""Of the codes that axes are found by, and of the pairs that a density is: 128 MiB."""

MAX_SLOPES = 2**25
"""Cells of the Jacobians that are held at once: 256 MiB."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Codes, residuals and axes, in the module's units, in float64.

    Parameters
    ----------
    module : Autoencoder
        In float64, on the CPU.
    X : ndarray of shape (n_samples, n_features)
        The training rows, without gaps or weights.
    n_components : int
        Width of the code.
    axes_of : callable of (Z, pulled_back), with ``explained`` and ``seed``
        Finds the components that codes are read in.
    unit : float
        What codes are multiplied by.
    seed : int
        Of everything random.
    """

    module: Autoencoder
    X: np.ndarray
    n_components: int
    axes_of: Callable[..., CodeAxes]
    unit: float
    seed: int

    @property
    def map(self) -> Callable[..., np.ndarray]:
        """Apply a function of tensors to rows, chunk by chunk."""
        width = max(self.X.shape[1], self.n_components)
        return partial(map_rows, device="cpu", dtype=np.dtype(np.float64), width=width)

    def _codes(self, rows: slice) -> np.ndarray:
        """The module's codes of some rows, which are found once for all if there is room."""
        if len(self.Z) == len(self.X):
            return self.Z[rows]
        return self.map(self.module.encode, self.X[rows])

    def _residuals(self, rows: slice) -> np.ndarray:
        return self.X[rows] - self.map(self.module.decode, self._codes(rows))

    @cached_property
    def squared_residual(self) -> np.ndarray:
        """Squared distance of each row from its reconstruction, of shape (n_samples,)."""
        if self._some.step == 1:
            return np.square(self.residuals).sum(axis=1)
        parts = slices(len(self.X), rows_at_once(self.X.shape[1]))
        return np.concatenate([np.square(self._residuals(part)).sum(axis=1) for part in parts])

    @cached_property
    def total_variance(self) -> float:
        """Summed over the features."""
        mean, parts = self.X.mean(axis=0), slices(len(self.X), rows_at_once(self.X.shape[1]))
        squares = sum(float(np.square(self.X[part] - mean).sum()) for part in parts)
        return squares / max(1, len(self.X) - 1)

    @cached_property
    def Z(self) -> np.ndarray:
        """The module's codes; of rows at even distances, if they are wide and very many."""
        n_samples, n_features = self.X.shape
        too_many = ceil(n_samples * self.n_components / MAX_CELLS)
        step = too_many if self.n_components > n_features else 1
        return self.map(self.module.encode, self.X[::step])

    @cached_property
    def axes(self) -> CodeAxes:
        """The components that codes are read in."""
        explained = self.total_variance - self.squared_residual.sum() / max(1, len(self.X) - 1)
        return self.axes_of(self.Z, self._pulled_back, explained=explained, seed=self.seed)

    @cached_property
    def code_map(self) -> Any:
        """From the module's codes to these components."""
        return self.axes.code_map(self.unit)

    @property
    def code_std(self) -> np.ndarray:
        """Standard deviations of the components."""
        return self.axes.std * self.unit

    @property
    def _some(self) -> slice:
        n_cells = len(self.X) * (self.X.shape[1] + self.n_components)
        return slice(None, None, ceil(n_cells / MAX_CELLS))

    @property
    def some_rows(self) -> np.ndarray:
        """As many rows, at even distances, as a density can be fitted to."""
        return self.X[self._some]

    def codes(self) -> np.ndarray:
        """Of some rows, over their standard deviations."""
        return self.map(self.code_map, self._codes(self._some)) / self.code_std

    @cached_property
    def residuals(self) -> np.ndarray:
        """Of the same rows."""
        return self._residuals(self._some)

    def jacobian(self, W: np.ndarray) -> np.ndarray:
        """Derivatives of rows by codes over their standard deviations; see `Autoencoder.slopes`."""
        Z = self.map(self.code_map.undo, W * self.code_std)
        directions = self.code_map.directions(to_tensor(self.code_std))
        return self._slopes(Z, to_numpy(directions))

    def _pulled_back(self, Z: np.ndarray, directions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The metric and the slopes along some directions, averaged over some codes."""
        metric: Any = 0.0
        slopes: Any = 0.0
        for rows in slices(len(Z), max(1, MAX_SLOPES // (self.X.shape[1] * len(directions)))):
            J, share = self._slopes(Z[rows], directions), len(Z[rows]) / len(Z)
            metric = metric + share * (J @ J.swapaxes(1, 2)).mean(axis=0)
            slopes = slopes + share * J.mean(axis=0)
        return metric, slopes

    def _slopes(self, Z: np.ndarray, directions: np.ndarray) -> np.ndarray:
        return to_numpy(self.module.slopes(to_tensor(Z), to_tensor(directions)))
