"""Rows that are read in blocks, as often as they are needed."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

BLOCK = 2**18
"""Cells of a block, where its length is ours to choose: 1 MiB of float32."""

SPARSE_ROWS = 16
"""Rows of a block that has not to be read: the fewer, the better they are shuffled."""


class Survey(NamedTuple):
    """What one look at all rows tells.

    Parameters
    ----------
    mean, low, high : ndarray of shape (n_features,)
        Of each column's known cells: the mean, weighted, in float64, and the range; NaN where there
        is none.
    sample : ndarray of shape (n, n_features)
        Some of the rows.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    sample: np.ndarray


class Source:
    """Rows in blocks, which an autoencoder's `fit` takes in the place of an array.

    A subclass says how to `read` a block; what `fit` needs of the rows besides, it finds by
    reading all of them once.

    Parameters
    ----------
    lengths : sequence of int
        Rows in each block.
    n_features : int
        Columns.
    dtype : dtype
        float32 or float64: that of the fitted estimator.
    feature_names : sequence of str or None, default=None
        Names of the columns.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        n_features: int,
        dtype: Any,
        feature_names: Sequence[str] | None = None,
    ):
        self.lengths, self.n_features = list(lengths), n_features
        self.dtype = np.dtype(np.float32 if np.dtype(dtype) == np.float32 else np.float64)
        self.feature_names = None if feature_names is None else list(feature_names)
        self.starts = [0, *accumulate(self.lengths)][:-1]

    def __len__(self) -> int:
        return sum(self.lengths)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows, {self.n_features} columns)"

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return len(self), self.n_features

    def read(self, block: int) -> np.ndarray:
        """The rows of a block.

        Parameters
        ----------
        block : int
            Its number.

        Returns
        -------
        rows : ndarray of shape (n, n_features)
            In `dtype`; NaN is missing.
        """
        raise NotImplementedError

    def blocks(self, order: Sequence[int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """All blocks, one after another.

        Parameters
        ----------
        order : sequence of int or None, default=None
            Their numbers in the order that they are asked for; None is the order that they are in.
            What can only be read from front to back comes in that order all the same, and a block
            may come in parts.

        Yields
        ------
        start : int
            Number of the first row.
        rows : ndarray of shape (n, n_features)
            The rows.
        """
        for block in range(len(self.lengths)) if order is None else order:
            yield self.starts[block], self.checked(self.read(block), self.lengths[block])

    def survey(self, rows: np.ndarray, weights: np.ndarray | None) -> Survey:
        """Look at all rows once.

        Parameters
        ----------
        rows : ndarray of int
            Numbers of the rows to keep, in ascending order.
        weights : ndarray of shape (n_samples,) or None
            Of the rows, for the mean.

        Returns
        -------
        survey : Survey
            With these rows.
        """
        total, count = np.zeros(self.n_features), np.zeros(self.n_features)
        low, high = np.full(self.n_features, np.inf), np.full(self.n_features, -np.inf)
        sample = np.empty((len(rows), self.n_features), self.dtype)
        for start, block in self.blocks():
            known = ~np.isnan(block)
            w = np.ones(len(block)) if weights is None else weights[start : start + len(block)]
            total += w @ np.where(known, block, 0.0)
            count += w @ known
            low = np.fmin(low, np.where(known, block, np.inf).min(axis=0))
            high = np.fmax(high, np.where(known, block, -np.inf).max(axis=0))
            first, last = np.searchsorted(rows, [start, start + len(block)])
            sample[first:last] = block[rows[first:last] - start]
        with np.errstate(invalid="ignore"):
            return Survey(total / count, low, high, sample)

    def checked(self, rows: np.ndarray, length: int) -> np.ndarray:
        """The rows of a block, if they are as many and as wide as was said, and finite or missing.

        Parameters
        ----------
        rows : ndarray
            As they were read.
        length : int
            How many there should be.

        Returns
        -------
        rows : ndarray of shape (length, n_features)
            In `dtype`.

        Raises
        ------
        ValueError
            If they are not what they should be.
        """
        rows = np.asarray(rows, dtype=self.dtype)
        if rows.shape != (length, self.n_features):
            raise ValueError(
                f"A block of shape {rows.shape} was read where there had been {length} rows of "
                f"{self.n_features} columns; a source must give the same rows each time."
            )
        if np.isinf(rows).any():
            raise ValueError("The rows contain infinity; replace it by NaN if it means missing.")
        return rows


class ArraySource(Source):
    """Slices of an array, which may be a file that is mapped to memory, or sparse.

    Parameters
    ----------
    array : ndarray or sparse array of shape (n_samples, n_features)
        Of numbers; it is never copied as a whole.
    """

    def __init__(self, array: Any):
        n_samples, n_features = array.shape
        self.step = max(1, BLOCK // max(1, n_features))
        self.array, self.is_sparse = array, sp.issparse(array)
        if self.is_sparse:
            self.array, self.step = sp.csr_array(array), SPARSE_ROWS
            if np.isinf(self.array.data).any():
                raise ValueError("X contains infinity; replace it by NaN if it means missing.")
        starts = range(0, n_samples, self.step)
        super().__init__(
            [min(self.step, n_samples - start) for start in starts], n_features, array.dtype
        )

    def read(self, block: int) -> np.ndarray:
        start = self.starts[block]
        rows = self.array[start : start + self.step]
        return rows.toarray() if self.is_sparse else rows

    def survey(self, rows: np.ndarray, weights: np.ndarray | None) -> Survey:
        """See `Source.survey`; zeros that are not there are not looked at."""
        if not self.is_sparse:
            return super().survey(rows, weights)
        from sklearn.utils.sparsefuncs import min_max_axis

        X, w = self.array.astype(self.dtype, copy=False), weights
        w = np.ones(len(self)) if w is None else w
        gaps = sp.csr_array((np.isnan(X.data), X.indices, X.indptr), shape=X.shape)
        values = sp.csr_array((np.nan_to_num(X.data), X.indices, X.indptr), shape=X.shape)
        with np.errstate(invalid="ignore"):
            mean = (values.T @ w) / (w.sum() - gaps.T @ w)
        low, high = min_max_axis(sp.csr_matrix(X), axis=0, ignore_nan=True)
        return Survey(mean, low, high, X[rows].toarray())
