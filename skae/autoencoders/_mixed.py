"""Where a table of numbers and categories starts: units, principal components, regressions."""

from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.special import entr

from skae.autoencoders._columns import Columns
from skae.autoencoders._start import Axes, Units
from skae.autoencoders._table import mean_of
from skae.nn import MixedAutoencoder, MixedDensity, MixedReconstruction
from skae.training import to_numpy, to_tensor

MAX_ROWS = 10_000
"""By which the start's regressions, and the density, are found."""

DENSITY_ROWS = 2000
"""Of those, by which the density is."""

N_ROUNDS = 5
"""Of expectation and maximisation, for the density."""

LEAST_ENTROPY = 0.1
"""In nats, of a column: about one row in 50 says otherwise. One that says less counts for less."""

FLOOR = 1e-6
"""Least variance of noise and of the prior, in standard units."""


@dataclass(frozen=True)
class MixedUnits:
    """What makes cells of columns: see `skae.nn.MixedReconstruction`.

    Parameters
    ----------
    source : ndarray of shape (n_cells,), int64
        Which column each cell is from.
    category, shift, width, weight : ndarray of shape (n_cells,), float64
        The code whose indicator it is, what is subtracted, what the difference is divided by, and
        what a nat counts: to say a column's mean, or shares, costs half a nat, as for a number of
        unit variance.
    n_numeric, n_binary : int
        How many of the first columns are numbers, and how many of the next are coins.
    sizes : tuple of int
        Numbers of categories of the others.
    """

    source: np.ndarray
    category: np.ndarray
    shift: np.ndarray
    width: np.ndarray
    weight: np.ndarray
    n_numeric: int
    n_binary: int
    sizes: tuple[int, ...]

    scale: ClassVar[float] = 1.0
    squared_scale: ClassVar[float] = 1.0

    @classmethod
    def of(cls, X: np.ndarray, weights: np.ndarray | None, columns: Columns) -> "MixedUnits":
        """Means and deviations of numbers, shares of categories.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows of numbers and codes; NaN is missing.
        weights : ndarray of shape (n_samples,) or None
            Of the rows.
        columns : Columns
            What they are.

        Returns
        -------
        units : MixedUnits
            With width 1 where a column does not vary.
        """
        kinds = [column.categories for column in columns.columns]
        numbers = [j for j, kind in enumerate(kinds) if kind is None]
        coins = [j for j, column in enumerate(columns.columns) if column.is_binary]
        others = [j for j in range(len(kinds)) if j not in {*numbers, *coins}]
        cells: list[tuple[int, float, float, float, float]] = []
        for j in numbers:
            location, scale = Units.of(X[:, [j]], weights)
            cells.append((j, -1.0, float(location[0]), scale, 1.0))
        for j in coins:
            share = float(mean_of(X[:, [j]], weights)[0])
            cells.append((j, 1.0, share, np.sqrt(share * (1 - share)) or 1.0, weight_of([share])))
        for j in others:
            codes = np.arange(len(kinds[j] or ()))
            hits = np.where(np.isnan(X[:, [j]]), np.nan, X[:, [j]] == codes)
            shares = mean_of(hits, weights)
            weight = weight_of(shares)
            cells += [(j, float(k), p, np.sqrt(p) or 1.0, weight) for k, p in enumerate(shares)]
        table = np.array(cells)
        sizes = tuple(len(kinds[j] or ()) for j in others)
        source = table[:, 0].astype(np.int64)
        code, shift, width, weight = np.ascontiguousarray(table[:, 1:].T)
        return cls(source, code, shift, width, weight, len(numbers), len(coins), sizes)

    @classmethod
    def from_module(cls, module: MixedReconstruction) -> "MixedUnits":
        """Those of a fitted module."""
        tensors = (module.source, module.category, module.shift, module.width, module.weight)
        source, *floats = (to_numpy(tensor) for tensor in tensors)
        code, shift, width, weight = (part.astype(np.float64) for part in floats)
        counts = (module.n_numeric, module.n_binary, module.sizes)
        return cls(source, code, shift, width, weight, *counts)

    @property
    def zero(self) -> np.ndarray:
        """The cells of the number 0, and of no category."""
        return -self.shift / self.width

    @property
    def shared(self) -> list[int] | None:
        """Which column each cell is from, where several share one; None is one each."""
        return self.source.tolist() if self.sizes else None

    @property
    def of_rows(self) -> tuple[np.ndarray, float]:
        """What is done to rows before they become cells: nothing."""
        return np.zeros(len(np.unique(self.source))), 1.0

    def standardized(self, X: np.ndarray) -> np.ndarray:
        """Cells, in float64."""
        entries = X[:, self.source].astype(np.float64)
        indicator = (self.category >= 0) & ~np.isnan(entries)
        return (np.where(indicator, entries == self.category, entries) - self.shift) / self.width

    def typical(self, mean: np.ndarray) -> np.ndarray:
        """Means of numbers, and codes of the most frequent categories."""
        mean = mean.copy()
        for j in np.unique(self.source[self.n_numeric :]):
            cells = np.flatnonzero(self.source == j)
            share = self.shift[cells]
            mean[j] = self.category[cells[share.argmax()]] if len(cells) > 1 else share[0] > 0.5
        return mean


def weight_of(shares: Any) -> float:
    """What a nat counts in a column of these shares of categories (of one of two, if alone)."""
    p = np.append(shares, 1 - shares[0]) if len(shares) == 1 else np.asarray(shares)
    return 0.5 / max(float(entr(p).sum()), LEAST_ENTROPY)


def columns_from(settings: dict[str, Any]) -> dict[str, Any]:
    """The settings of a `MixedReconstruction` for those of `MixedUnits`."""
    return {
        name: to_tensor(value, dtype=None if name == "source" else torch.float64)
        if isinstance(value, np.ndarray)
        else value
        for name, value in settings.items()
    }


class MixedStart(NamedTuple):
    """Principal axes, and what categories are to the codes that are read along them.

    Parameters
    ----------
    mean, components, seen_mean, reader : ndarray
        See `Axes`.
    heads : ndarray of shape (n_cells - n_numeric, n_components + 1)
        Weights of the codes in the logits, and offsets.
    """

    mean: np.ndarray
    components: np.ndarray
    seen_mean: np.ndarray
    reader: np.ndarray
    heads: np.ndarray

    @classmethod
    def at(cls, axes: Axes, X: np.ndarray, module: MixedAutoencoder) -> "MixedStart":
        """Logistic regressions on codes of unit variance, as scikit-learn penalises them.

        Parameters
        ----------
        axes : Axes
            Principal ones.
        X : ndarray of shape (n_samples, n_cells)
            Rows of cells. Where there are many, some at even distances count.
        module : MixedAutoencoder
            Knows what the cells are.

        Returns
        -------
        start : MixedStart
            No worse than saying the shares of the categories.
        """
        columns: Any = module.reconstruction
        n_numeric, n_cells = columns.n_numeric, X.shape[1]
        n_components = len(axes.reader)
        if n_numeric == n_cells:
            return cls(*axes, np.zeros((0, n_components + 1)))
        X = X[:: ceil(len(X) / MAX_ROWS)]
        Z = (X - axes.seen_mean) @ axes.reader.T
        scale = Z.std(axis=0)
        scale = np.where(scale > FLOOR, scale, 1.0)
        white = np.hstack([Z / scale, np.ones((len(Z), 1))])
        cells = to_tensor(X)
        target = to_numpy(columns.values(cells))[:, n_numeric:]
        penalised = np.ones(n_components + 1) / len(X)
        penalised[-1] = 0.0

        def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
            weights = flat.reshape(-1, n_components + 1)
            output = np.zeros_like(X)
            output[:, n_numeric:] = white @ weights.T
            logits = to_tensor(output)
            error = to_numpy(columns.nats(logits, cells))[:, n_numeric:].sum() / len(X)
            miss = to_numpy(columns.probabilities(logits)) - target
            gradient = miss.T @ white / len(X) + penalised * weights
            return error + 0.5 * (penalised * weights**2).sum(), gradient.ravel()

        first = np.zeros((n_cells - n_numeric, n_components + 1))
        first[:, -1] = to_numpy(columns.inverse_link(to_tensor(axes.mean))[0])[n_numeric:]
        found = minimize(loss, first.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 100})
        heads = found.x.reshape(first.shape)
        heads[:, :-1] /= scale
        return cls(*axes, heads)


def mixed_density(
    module: MixedAutoencoder, X: np.ndarray, W: np.ndarray, decode: Any, code_std: np.ndarray
) -> MixedDensity:
    r"""The density behind the scores, by expectation and maximisation.

    .. math:: S_{ll} \leftarrow \overline{w_l^2 + C_{ll}}, \qquad
        \psi_j \leftarrow \overline{(x_j - g_j(w))^2 + (J^\top C J)_{jj}}

    over the rows, each with its most likely code w, and C, the inverse of its precision [1]_.

    Parameters
    ----------
    module : MixedAutoencoder
        In float64.
    X : ndarray of shape (n, n_cells)
        Rows of cells; where there are many, some at even distances count.
    W : ndarray of shape (n, n_components)
        Their codes over their standard deviations.
    decode : callable
        Outputs, before the link, for tensors of such codes.
    code_std : ndarray of shape (n_components,)
        The standard deviations.

    Returns
    -------
    density : MixedDensity
        In float64.

    References
    ----------
    .. [1] Rubin & Thayer (1982). EM algorithms for ML factor analysis. Psychometrika 47.
    """
    columns: Any = module.reconstruction
    step = ceil(len(X) / DENSITY_ROWS)
    y, w = to_tensor(X[::step]), to_tensor(W[::step])
    n, known = columns.n_numeric, torch.ones_like(y)
    noise = (decode(w) - y)[:, :n].square().mean(dim=0).clamp(min=FLOOR)
    prior = w.new_ones(w.shape[1])
    for _ in range(N_ROUNDS):
        density = MixedDensity(
            code_std=to_tensor(code_std), prior_variance=prior, noise_variance=noise
        )
        found = density.posterior(w, y, known, decode, columns)
        C = torch.linalg.inv(found.precision)
        J = found.slopes[:, :, :n]
        spread = (J * (C @ J)).sum(dim=1)
        noise = ((decode(found.w) - y)[:, :n].square() + spread).mean(dim=0).clamp(min=FLOOR)
        w = found.w
        prior = (w.square() + C.diagonal(dim1=1, dim2=2)).mean(dim=0).clamp(min=FLOOR)
    return MixedDensity(code_std=to_tensor(code_std), prior_variance=prior, noise_variance=noise)


def root_mean_square(cells: np.ndarray) -> np.ndarray:
    """Of each row's known cells, whatever their unit.

    Parameters
    ----------
    cells : ndarray of shape (n_samples, n_features)
        Not negative; NaN is missing.

    Returns
    -------
    root : ndarray of shape (n_samples,)
        0 where nothing is known.
    """
    largest = np.nanmax(cells, axis=1, initial=0.0, keepdims=True)  # squares may overflow
    largest = np.where(largest > 0, largest, 1.0)
    known = ~np.isnan(cells)
    squares = np.square(np.where(known, cells, 0.0) / largest).sum(axis=1)
    return largest[:, 0] * np.sqrt(squares / np.maximum(known.sum(axis=1), 1))
