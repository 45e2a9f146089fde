"""Rows that are larger than memory, and rows that are mostly zeros."""

from skae.data._readers import from_batches, from_dask, from_memmap, from_parquet
from skae.data._source import Source
from skae.data._writers import transform_to_parquet

__all__ = [
    "Source",
    "from_batches",
    "from_dask",
    "from_memmap",
    "from_parquet",
    "transform_to_parquet",
]
