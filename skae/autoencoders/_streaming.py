"""Rows that are too many to hold: a sample of them, for all but the training itself."""

from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import _check_sample_weight

from skae.autoencoders._missing import Whole
from skae.autoencoders._namespaces import refuse_device_without_dispatch
from skae.autoencoders._start import Units
from skae.autoencoders._table import DENSE, FLOATS, Table, refuse_empty_columns
from skae.data import Source
from skae.data._source import ArraySource, Survey
from skae.nn import GaussianFill
from skae.training import StreamedRows

SAMPLE = 2**23
"""Cells of the rows that are held: 64 MiB of float64."""

SAMPLE_ROWS = 1000
"""How many rows these are at least."""

START_ROWS = 200_000
"""Sparse rows that principal axes are found for."""

LARGE = 2**26
"""Cells beyond which an array is not copied: half a GiB of float64."""

RECIPES = {
    "LazyFrame": "collect() it, or write it by sink_parquet and pass skae.data.from_parquet(path)",
    "DataLoader": "pass skae.data.from_batches(lambda: (np.asarray(batch[0]) for batch in loader))",
    "IterableDataset": "pass skae.data.from_batches(lambda: (np.asarray(x) for x in dataset))",
    "Dask": "pass skae.data.from_dask(X)",
    "FileSystemDataset": "pass skae.data.from_parquet(path)",
    "ParquetFile": "pass skae.data.from_parquet(path)",
    "generator": "pass skae.data.from_batches(make), where make() returns a new one each time",
}
"""What to do with what is no array, by the names of its kinds."""


def refuse_lazy(X: Any, *, source_too: bool) -> None:
    """Refuse what would silently become an array, or none at all.

    Parameters
    ----------
    X : object
        What is given as rows.
    source_too : bool
        Whether a source is refused, too.

    Raises
    ------
    TypeError
        With the way out.
    """
    if source_too and isinstance(X, Source):
        raise TypeError(
            f"{X!r} is a source, which only fit takes; write the results by "
            "skae.data.transform_to_parquet(estimator, source, path), or pass each of "
            "source.blocks()."
        )
    refuse_device_without_dispatch(X)
    kinds = {kind.__name__ for kind in type(X).__mro__}
    if type(X).__module__.partition(".")[0].startswith("dask"):
        kinds.add("Dask")
    for kind in RECIPES.keys() & kinds:
        raise TypeError(f"X is a {type(X).__name__}, not an array; {RECIPES[kind]}.")


def source_of(X: Any, cv: Any) -> Source | None:
    """What is to be read in blocks: sources, and large arrays, sparse or not, mapped or not.

    Parameters
    ----------
    X : object
        What `fit` is given.
    cv : object
        How to split it; splitters want an array.

    Returns
    -------
    source : Source or None
        None if X is to be an array.
    """
    refuse_lazy(X, source_too=False)
    if isinstance(X, Source):
        return X
    if sp.issparse(X) and X.ndim == 2 and np.prod(X.shape, dtype=float) > DENSE:
        return ArraySource(X) if X.dtype.kind in "fiub" else None
    large = isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype in FLOATS and X.size > LARGE
    return ArraySource(X) if large and isinstance(cv, Integral | str | None) else None


@dataclass(frozen=True, kw_only=True)
class StreamedTable(Table):
    """Rows in a source, and a sample of them.

    Parameters
    ----------
    X, weights, splits
        Those of the sample; see `Table`.
    source : Source
        All rows.
    rows : ndarray of shape (n,), int64
        Which of them are the sample, in ascending order.
    all_weights : ndarray of shape (n_samples,) or None
        Of all rows.
    survey : Survey
        Of all rows.
    """

    source: Any
    rows: np.ndarray
    all_weights: np.ndarray | None
    survey: Survey

    @classmethod
    def from_source(cls, source: Source, sample_weight: Any, cv: Any) -> "StreamedTable":
        """Read a source once.

        Parameters
        ----------
        source : Source
            All rows.
        sample_weight : array-like of shape (n_samples,), float or None
            Weights.
        cv : object
            Numbers, "auto" or None.

        Returns
        -------
        table : StreamedTable
            With a sample that is the same each time.

        Raises
        ------
        ValueError
            If there are no rows, a column has no value, `cv` is a splitter, or the weights are no
            weights.
        """
        if not isinstance(cv, Integral | str | None):
            raise ValueError(f"cv={cv!r} splits arrays alone; a source takes a number, or None.")
        n_samples, n_features = source.shape
        if n_samples == 0:
            raise ValueError(f"Found array with 0 sample(s) in {source!r}; there must be rows.")
        weights = None
        if sample_weight is not None:
            there = np.broadcast_to(0.0, (n_samples, 1))
            weights = _check_sample_weight(sample_weight, there, ensure_non_negative=True)
        n_kept = min(n_samples, max(SAMPLE_ROWS, SAMPLE // n_features))
        rng: Any = np.random.default_rng(0)
        usable: Any = n_samples if weights is None else np.flatnonzero(weights)
        n_kept = min(n_kept, n_samples if weights is None else int(np.count_nonzero(weights)))
        rows = np.sort(rng.choice(usable, n_kept, replace=False, shuffle=False))
        survey = source.survey(rows, weights)
        refuse_empty_columns(survey.mean[None])
        return cls(
            X=survey.sample.astype(source.dtype, copy=False),
            weights=None if weights is None else weights[rows] / weights[rows].mean(),
            splits=None,
            source=source,
            rows=rows,
            all_weights=weights,
            survey=survey,
        )

    @property
    def shape(self) -> tuple[int, int]:
        """Of all rows."""
        return self.source.shape

    @property
    def mean(self) -> np.ndarray:
        """Of all rows."""
        return self.survey.mean

    @property
    def limits(self) -> np.ndarray:
        """Of all rows."""
        return np.stack([self.survey.low, self.survey.high])

    @property
    def is_sparse(self) -> bool:
        """Whether the rows are mostly zeros that are not there."""
        return isinstance(self.source, ArraySource) and self.source.is_sparse

    def limits_in(self, units: Units) -> np.ndarray:
        """The same in some units."""
        return units.standardized(self.limits)

    def start_rows(self, units: Units, without: np.ndarray) -> Any:
        """Sparse rows, in units, for principal axes; None if there are none.

        Parameters
        ----------
        units : Units
            Without a shift.
        without : ndarray of int
            Rows of the sample to leave out.

        Returns
        -------
        X : sparse array of shape (n, n_features) or None
            In float64.
        """
        if not self.is_sparse or self.weights is not None:
            return None
        X = self.source.array
        if np.isnan(X.data).any():
            return None
        step = -(-self.shape[0] // START_ROWS)
        rows = np.setdiff1d(np.arange(0, self.shape[0], step), self.rows[without])
        return X[rows].astype(np.float64) / units.scale

    def streamed(
        self,
        units: Units,
        fill: GaussianFill,
        without: np.ndarray,
        **where: Any,
    ) -> StreamedRows:
        """All rows to learn from.

        Parameters
        ----------
        units : Units
            Of the module.
        fill : GaussianFill
            Completes rows.
        without : ndarray of int
            Rows of the sample to leave out.
        **where : dict
            Dtype and device of the batches.

        Returns
        -------
        rows : StreamedRows
            Read anew in each epoch.
        """

        def prepare(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
            whole = Whole.by(units.standardized(rows), fill)
            return whole.X, whole.known

        out = self.rows[without]
        if self.all_weights is not None:
            out = np.union1d(out, np.flatnonzero(self.all_weights == 0))
        return StreamedRows(
            blocks=self.source.blocks,
            n_blocks=len(self.source.lengths),
            n_samples=self.shape[0],
            n_features=self.shape[1],
            without=out,
            weights=self.all_weights,
            prepare=prepare,
            **where,
        )


def check_columns(estimator: Any, source: Source) -> None:
    """Set the number and the names of the features that an estimator is fitted to."""
    estimator.n_features_in_ = source.n_features
    if source.feature_names is not None:
        estimator.feature_names_in_ = np.asarray(source.feature_names, dtype=object)
    elif hasattr(estimator, "feature_names_in_"):
        del estimator.feature_names_in_
