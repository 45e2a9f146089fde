"""The way back: results of a fitted estimator, written block by block."""

from typing import Any

import numpy as np

from skae.data._readers import _parquet
from skae.data._source import Source


def transform_to_parquet(
    estimator: Any, source: Source, path: Any, *, method: str = "transform"
) -> None:
    """Write what a fitted estimator makes of a source's rows to a Parquet file.

    Parameters
    ----------
    estimator : object
        Fitted.
    source : Source
        Rows, as `from_parquet` and others give them.
    path : str or path-like
        Of the file; one that is there is replaced once the new one is complete.
    method : str, default="transform"
        What to write: "transform" gives a column for each component, named as
        ``get_feature_names_out`` does; a method that gives a number a row, such as
        "score_samples", a column of its own name.

    Raises
    ------
    TypeError
        If `source` is not a source.
    ImportError
        If pyarrow is not installed.
    """
    import os

    if not isinstance(source, Source):
        raise TypeError(
            f"source is a {type(source).__name__}; make a source of it with "
            "skae.data.from_parquet, from_memmap, from_dask or from_batches."
        )
    parquet = _parquet()
    import pyarrow

    partial, writer = f"{os.fspath(path)}.partial", None
    try:
        for _, rows in source.blocks():
            found = np.asarray(getattr(estimator, method)(named(rows, source)))
            if found.ndim == 1:
                found, names = found[:, None], [method]
            else:
                names = list(estimator.get_feature_names_out())
            table = pyarrow.table(dict(zip(names, found.T, strict=True)))
            if writer is None:
                writer = parquet.ParquetWriter(partial, table.schema)
            writer.write_table(table)
        if writer is not None:
            writer.close()
            os.replace(partial, path)
    finally:
        if os.path.exists(partial):
            if writer is not None:
                writer.close()
            os.remove(partial)


def named(rows: np.ndarray, source: Source) -> Any:
    """Rows with the names of their columns, if they have any."""
    if source.feature_names is None:
        return rows
    import pyarrow

    return pyarrow.table(dict(zip(source.feature_names, rows.T, strict=True)))
