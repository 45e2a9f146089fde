"""Sources of rows: files, arrays in pieces, and whatever gives batches."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from glob import escape, glob
from typing import Any

import numpy as np

from skae.data._source import BLOCK, ArraySource, Source

INTERLEAVED = 8
"""Row groups that are read in turn, so that their rows are shuffled together."""


def from_memmap(array: Any, *, shape: tuple[int, int] | None = None, dtype: Any = None) -> Source:
    """Rows of a file that is mapped to memory.

    Parameters
    ----------
    array : str, path-like or ndarray of shape (n_samples, n_features)
        An array, such as a `numpy.memmap`, or the name of a file: of NumPy's format (.npy), or of
        bare numbers, row after row.
    shape : tuple of two ints or None, default=None
        Of a file of bare numbers.
    dtype : dtype or None, default=None
        Of a file of bare numbers.

    Returns
    -------
    source : Source
        For `fit`.

    Raises
    ------
    ValueError
        If it is not two-dimensional, or does not hold numbers.

    Examples
    --------
    >>> import numpy as np, skae
    >>> source = skae.data.from_memmap(np.ones((1000, 5), dtype=np.float32))
    >>> source
    ArraySource(1000 rows, 5 columns)
    """
    if isinstance(array, str | os.PathLike):
        if shape is None:
            array = np.load(array, mmap_mode="r", allow_pickle=False)
        else:
            array = np.memmap(array, dtype=dtype or np.float64, mode="r", shape=tuple(shape))
    if array.ndim != 2 or array.dtype.kind not in "fiub":
        raise ValueError(
            f"The array has shape {array.shape} and dtype {array.dtype}, but rows of numbers are "
            "needed: two dimensions, and integers or floats."
        )
    return ArraySource(array)


class ParquetSource(Source):
    """Row groups of Parquet files.

    Parameters
    ----------
    paths : list of str
        Files.
    columns : sequence of str or None
        Which columns; None is all.
    """

    def __init__(self, paths: list[str], columns: Sequence[str] | None):
        parquet = _parquet()
        files = [parquet.ParquetFile(path, memory_map=True) for path in paths]
        schema = files[0].schema_arrow
        self.columns = list(schema.names if columns is None else columns)
        kinds = [_numeric(schema, column) for column in self.columns]
        groups = [(n, i) for n, file in enumerate(files) for i in range(file.num_row_groups)]
        self.groups = [(paths[n], i) for n, i in groups]
        lengths = [files[n].metadata.row_group(i).num_rows for n, i in groups]
        single = all(kind == np.float32 for kind in kinds)
        super().__init__(lengths, len(kinds), np.float32 if single else np.float64, self.columns)

    def blocks(self, order: Sequence[int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """See `Source.blocks`: parts of several row groups in turn, however long these are."""
        waiting = list(range(len(self.groups)) if order is None else order)
        at_once = 1 if order is None else INTERLEAVED
        running: deque[Iterator[tuple[int, np.ndarray]]] = deque()
        while waiting or running:
            while waiting and len(running) < at_once:
                running.append(self._parts(waiting.pop(0)))
            part = next(running[0], None)
            if part is None:
                running.popleft()
            else:
                yield part
                running.rotate(-1)

    def _parts(self, block: int) -> Iterator[tuple[int, np.ndarray]]:
        """A row group, some rows at a time."""
        path, group = self.groups[block]
        start, step = self.starts[block], max(1, BLOCK // self.n_features)
        with _parquet().ParquetFile(path, memory_map=True) as file:
            for part in file.iter_batches(step, row_groups=[group], columns=self.columns):
                rows = np.empty((part.num_rows, len(self.columns)), self.dtype)
                for j, name in enumerate(self.columns):
                    column = part.column(name)
                    if column.null_count:
                        column = column.cast("float64")  # which has a NaN for what is null
                    rows[:, j] = column.to_numpy(zero_copy_only=False)
                yield start, self.checked(rows, part.num_rows)
                start += part.num_rows


def from_parquet(path: Any, columns: Sequence[str] | None = None) -> Source:
    """Rows of Parquet files, a row group at a time.

    Parameters
    ----------
    path : str, path-like or sequence of them
        Files; a folder is all its .parquet files, a pattern such as ``part-*`` those that match.
    columns : sequence of str or None, default=None
        Columns to read, all of numbers; None is all there are.

    Returns
    -------
    source : Source
        For `fit`. Nulls are missing cells.

    Raises
    ------
    FileNotFoundError
        If no file is there.
    ValueError
        If a column is not there, or does not hold numbers.
    ImportError
        If pyarrow is not installed.
    """
    given = [path] if isinstance(path, str | os.PathLike) else list(path)
    paths: list[str] = []
    for name in [os.fspath(part) for part in given]:
        if os.path.isdir(name):
            paths += sorted(glob(os.path.join(escape(name), "*.parquet")))
        else:
            paths += [name] if os.path.exists(name) else sorted(glob(name))
    if not paths:
        raise FileNotFoundError(f"There are no Parquet files at {given}.")
    return ParquetSource(paths, columns)


def _parquet() -> Any:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise ImportError("Parquet files need pyarrow: pip install 'skae[stream]'.") from error
    return parquet


def _numeric(schema: Any, column: str) -> np.dtype:
    """The dtype of a column of numbers."""
    if column not in schema.names:
        raise ValueError(f"There is no column {column!r}, only {', '.join(schema.names)}.")
    try:
        dtype = np.dtype(schema.field(column).type.to_pandas_dtype())
    except NotImplementedError:
        dtype = np.dtype(object)
    if dtype.kind not in "fiub":
        raise ValueError(
            f"Column {column!r} holds {schema.field(column).type}, not numbers; pass columns=[...] "
            "without it, or encode it before."
        )
    return dtype


class DaskSource(Source):
    """Chunks of a dask array or the partitions of a dask frame.

    Parameters
    ----------
    chunks : list of delayed objects
        Each gives the rows of a block.
    lengths : list of int
        How many.
    n_features : int
        Columns.
    dtype : dtype
        Of the rows.
    feature_names : list of str or None
        Their names.
    """

    def __init__(self, chunks, lengths, n_features, dtype, feature_names):
        super().__init__(lengths, n_features, dtype, feature_names)
        self.chunks = chunks

    def read(self, block: int) -> np.ndarray:
        return np.asarray(self.chunks[block].compute())


def from_dask(collection: Any) -> Source:
    """Rows of a dask array or frame, a chunk or a partition at a time.

    Parameters
    ----------
    collection : dask.array.Array or dask.dataframe.DataFrame
        Of numbers, with two dimensions. It is computed anew in each epoch, chunk by chunk: persist
        it, or write it to Parquet, where that takes long.

    Returns
    -------
    source : Source
        For `fit`.
    """
    if hasattr(collection, "partitions") and hasattr(collection, "columns"):
        lengths = [int(n) for n in collection.map_partitions(len).compute()]
        chunks = collection.to_delayed()
        dtypes = [np.dtype(dtype) for dtype in collection.dtypes]
        dtype = np.float32 if all(d == np.float32 for d in dtypes) else np.float64
        names = list(collection.columns)
        return DaskSource(chunks, lengths, len(names), dtype, names)
    collection = collection.rechunk({1: -1})
    if np.isnan(collection.shape[0]):
        collection = collection.compute_chunk_sizes()
    chunks = list(collection.to_delayed()[:, 0])
    lengths = list(collection.chunks[0])
    return DaskSource(chunks, lengths, collection.shape[1], collection.dtype, None)


class BatchSource(Source):
    """Batches that can only be read from front to back.

    Parameters
    ----------
    make : callable
        Gives a new iterator over all batches.
    """

    def __init__(self, make: Callable[[], Iterable[Any]]):
        self.make = make
        lengths, dtypes, widths = [], set(), set()
        for batch in make():
            rows = np.asarray(batch)
            if rows.ndim != 2 or rows.dtype.kind not in "fiub":
                raise ValueError(
                    f"A batch has shape {rows.shape} and dtype {rows.dtype}; each must be rows of "
                    "numbers, an array of two dimensions."
                )
            lengths.append(len(rows))
            dtypes.add(rows.dtype)
            widths.add(rows.shape[1])
        if len(widths) != 1:
            raise ValueError(
                f"The batches have {sorted(widths)} columns; there must be batches, all as wide."
                + ("" if lengths else " Does the function return a new iterator each time?")
            )
        single = dtypes == {np.dtype(np.float32)}
        super().__init__(lengths, widths.pop(), np.float32 if single else np.float64)

    def blocks(self, order: Sequence[int] | None = None) -> Iterator[tuple[int, np.ndarray]]:
        """See `Source.blocks`; the order is the one that there is."""
        n_read = 0
        for start, length, batch in zip(self.starts, self.lengths, self.make(), strict=False):
            yield start, self.checked(batch, length)
            n_read += 1
        if n_read < len(self.lengths):
            raise ValueError(
                f"The batches ended after {n_read} of {len(self.lengths)}; pass a function that "
                "returns a new iterator over all of them each time."
            )


def from_batches(make: Callable[[], Iterable[Any]]) -> Source:
    """Rows of anything that gives batches, again and again.

    Parameters
    ----------
    make : callable
        Takes nothing and returns a new iterable of arrays of shape (n, n_features), the same ones
        each time. Their order in training is their own, so they should be shuffled before; rows
        are shuffled among the batches that fit a buffer of 2**22 cells.

    Returns
    -------
    source : Source
        For `fit`.

    Raises
    ------
    TypeError
        If `make` is an iterator, which can be read once only, rather than a function.
    ValueError
        If there are no batches, or they are not of numbers, or not all as wide.

    Examples
    --------
    >>> import numpy as np, skae
    >>> skae.data.from_batches(lambda: (np.full((10, 3), i) for i in range(4)))
    BatchSource(40 rows, 3 columns)
    """
    if not callable(make):
        raise TypeError(
            f"{type(make).__name__} is not a function; pass one that returns a new iterator over "
            "the batches, such as lambda: iter(loader), since training reads them many times."
        )
    return BatchSource(make)
