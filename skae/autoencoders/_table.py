"""The rows that a fit learns from: checked, with weights and splits."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import narwhals
import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import _check_sample_weight, validate_data

from skae.autoencoders._namespaces import floats_of

FLOATS = (np.float64, np.float32)

DENSE = 2**22
"""Cells up to which a sparse matrix is made dense: it is a batch."""

MAX_COPIES = 10
"""How often weights may repeat a row on average: whole numbers beyond that are only weights."""


def checked(estimator: Any, X: Any, *, reset: bool, sparse: bool = True) -> Any:
    """X as an array of floats, of which some may be NaN: cells that are missing.

    Parameters
    ----------
    estimator : BaseEstimator
        Whose names and number of features are checked, or set.
    X : array-like of shape (n_samples, n_features)
        Rows.
    reset : bool
        Whether to set them.
    sparse : bool, default=True
        Whether sparse matrices are accepted.

    Returns
    -------
    X : ndarray or sparse array of shape (n_samples, n_features), float64 or float32
        In the dtype of the rows if that is one of these; sparse if it was and is large.

    Raises
    ------
    ValueError
        If X holds infinity, complex numbers or text, is empty or not two-dimensional.
    """
    # scikit-learn takes a polars frame of Float32 for one of float64
    single = getattr(X, "schema", None) is not None and all(
        dtype == narwhals.Float32
        for dtype in getattr(narwhals.from_native(X, pass_through=True), "schema", {0: 0}).values()
    )
    X = validate_data(
        estimator,
        X,
        accept_sparse="csr" if sparse else False,
        dtype=np.float32 if single else floats_of(X),
        reset=reset,
        ensure_all_finite="allow-nan",
    )
    small = sp.issparse(X) and np.prod(X.shape, dtype=float) <= DENSE
    return X.toarray() if small else X


@dataclass(frozen=True, kw_only=True)
class Table:
    """What a fit learns from.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows; NaN is missing.
    weights : ndarray of shape (n_samples,), float64, or None
        Positive, with mean 1; None is all alike.
    splits : list of pairs of ndarrays of int, or None
        Rows to learn from and rows to judge by, as a user wants them.
    labels : tuple with a method ``of(rows)``, or None, default=None
        What is known of the rows' classes.
    """

    X: np.ndarray
    weights: np.ndarray | None
    splits: list[tuple[np.ndarray, np.ndarray]] | None
    labels: Any = None

    @classmethod
    def of(
        cls, X: np.ndarray, sample_weight: Any, cv: Any, y: Any = None, labels: Any = None
    ) -> "Table":
        """Rows and weights as a user gives them.

        Weights that are whole numbers are repetitions, and rows of weight 0 are not there. So that
        it makes no difference which of the two is given, rows with weights and rows among which
        some are equal are sorted.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Checked.
        sample_weight : array-like of shape (n_samples,), float or None
            Weights.
        cv : object
            How to split, as in scikit-learn; numbers, "auto" and None are left to others.
        y : array-like of shape (n_samples,) or None
            Passed to a splitter.
        labels : tuple with a method ``of(rows)``, or None
            What is known of the rows' classes.

        Returns
        -------
        table : Table
            With at least one row.

        Raises
        ------
        ValueError
            If weights are negative, not finite, all zero, or not one a row; if a column holds no
            value at all.
        """
        refuse_empty_columns(X)
        rows, weights = np.arange(len(X)), None
        if sample_weight is not None:
            weights = _check_sample_weight(
                sample_weight, X, dtype=np.float64, ensure_non_negative=True
            )
            if not weights.any():
                raise ValueError("Sample weights must contain at least one non-zero number.")
            rows, weights = repeated(weights)
        splits = None
        if not isinstance(cv, Integral | str | None):
            from sklearn.model_selection import check_cv  # slow to import

            splits = [
                (np.asarray(train), np.asarray(test)) for train, test in check_cv(cv).split(X, y)
            ]
        order = order_of(X[rows], as_they_are=sample_weight is None)
        rows = rows[order]
        if weights is not None:
            weights = weights[order] / weights.mean()
        if splits is not None:
            splits = [
                (np.flatnonzero(np.isin(rows, train)), np.flatnonzero(np.isin(rows, test)))
                for train, test in splits
            ]
        as_given = sample_weight is None and np.array_equal(rows, np.arange(len(X)))
        # the same in memory, too, whatever they came in: sums depend on it in the last digit
        X = np.ascontiguousarray(X if as_given else X[rows])
        labels = None if labels is None else labels.of(rows)
        return cls(X=X, weights=weights, splits=splits, labels=labels)

    @property
    def is_sparse(self) -> bool:
        """Whether the rows are mostly zeros that are not there."""
        return False

    @property
    def shape(self) -> tuple[int, int]:
        """Numbers of rows and columns."""
        return self.X.shape[0], self.X.shape[1]

    @property
    def mean(self) -> np.ndarray:
        """Of each column's known cells."""
        return mean_of(self.X, self.weights)

    @property
    def limits(self) -> np.ndarray:
        """Least and largest value of each column, of shape (2, n_features)."""
        return np.stack([np.nanmin(self.X, axis=0), np.nanmax(self.X, axis=0)])

    def limits_in(self, units: Any) -> np.ndarray | None:
        """The same in some units; None where X has them."""
        return None

    def start_rows(self, units: Any, without: np.ndarray) -> Any:
        """Rows that a start may take instead of X; None if there are none."""
        return None

    def streamed(self, units: Any, fill: Any, without: np.ndarray, **where: Any) -> Any:
        """Rows to learn from that are not in memory; None if all are."""
        return None


def no_rows(without: np.ndarray) -> None:
    """What a start that has no use for other rows takes: none."""


def refuse_empty_columns(X: np.ndarray) -> None:
    """Refuse columns of which nothing is known."""
    empty = np.flatnonzero(np.isnan(X).all(axis=0))
    if len(empty):
        shown = ", ".join(map(str, empty[:5])) + (", ..." if len(empty) > 5 else "")
        raise ValueError(
            f"{len(empty)} of {X.shape[1]} columns hold no value at all, only NaN ({shown}); "
            "drop them, or fill them with a constant."
        )


def repeated(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
    """Numbers of rows, and what is left of their weights."""
    whole = np.array_equal(weights, np.floor(weights))
    if whole and weights.sum() <= max(MAX_COPIES * len(weights), 1000):
        return np.repeat(np.arange(len(weights)), weights.astype(np.int64)), None
    rows = np.flatnonzero(weights)
    return rows, weights[rows]


def order_of(X: np.ndarray, *, as_they_are: bool) -> np.ndarray:
    """An order of rows that depends on their values alone, whatever their unit.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    as_they_are : bool
        Whether rows of which no two are equal stay as they are.

    Returns
    -------
    order : ndarray of shape (n_samples,), int64
        Equal rows stay in the order that they are in.
    """
    _, first, group = np.unique(hashes(X), return_index=True, return_inverse=True)
    if as_they_are and len(first) == len(X):
        return np.arange(len(X))
    rank = np.empty(len(first), np.int64)
    rank[np.lexsort(X[first].T[::-1])] = np.arange(len(first))
    return np.argsort(rank[group], kind="stable")


def hashes(X: np.ndarray) -> np.ndarray:
    """A number for each row, the same for equal rows, of shape (n_samples,), uint64.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Of floats.

    Returns
    -------
    hashes : ndarray of shape (n_samples,), uint64
        Of the cells' bits, multiplied by odd numbers.
    """
    cells = np.ascontiguousarray(X + X.dtype.type(0))  # which makes -0 a 0
    bits: np.ndarray = cells.view(f"u{X.dtype.itemsize}")
    odd = np.random.default_rng(0).integers(2**63, size=X.shape[1], dtype=np.uint64) * 2 + 1
    found: np.ndarray = np.zeros(len(X), np.uint64)
    for j, factor in enumerate(np.atleast_1d(odd)):
        cell = bits[:, j].astype(np.uint64)
        found = (found + (cell ^ (cell >> np.uint64(29)))) * factor
        found ^= found >> np.uint64(32)
    return found


def expanded(weights: np.ndarray, n_rows: int) -> np.ndarray:
    """Numbers of rows, each as often as its weight says, rounded so that the counts stay right.

    Parameters
    ----------
    weights : ndarray of shape (n_samples,)
        Positive.
    n_rows : int
        How many.

    Returns
    -------
    rows : ndarray of shape (n_rows,), int64
        In ascending order.
    """
    share = np.cumsum(weights) / weights.sum()
    position = (np.arange(n_rows) + 0.5) / n_rows
    return np.minimum(np.searchsorted(share, position), len(weights) - 1)


def mean_of(X: np.ndarray, weights: np.ndarray | None) -> np.ndarray:
    """Mean of each column's known cells, in float64.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows; NaN is missing.
    weights : ndarray of shape (n_samples,) or None
        Of the rows.

    Returns
    -------
    mean : ndarray of shape (n_features,), float64
        Of each column.
    """
    if weights is None:
        plain: np.ndarray = X.mean(axis=0, dtype=np.float64)
        if np.isnan(plain).any():
            plain = np.asarray(np.nanmean(X, axis=0, dtype=np.float64))
        return plain
    known = ~np.isnan(X)
    return weights @ np.where(known, X, 0.0) / (weights @ known)
