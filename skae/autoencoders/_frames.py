"""Series of any library as numbers and lists, and frames of the dtypes that others had."""

from collections.abc import Sequence
from numbers import Real
from typing import Any

import narwhals as nw
import numpy as np

WAYS_OUT = {
    "Datetime": "subtract a date and pass the days, or take the month or the weekday",
    "Date": "subtract a date and pass the days, or take the month or the weekday",
    "Time": "pass the seconds",
    "Duration": "pass the seconds",
    "List": "pass one column for each item, or its length",
    "Array": "pass one column for each item",
    "Struct": "pass one column for each field",
    "Decimal": "cast it to Float64",
    "Binary": "decode it to strings",
}
"""For columns that are neither numbers nor categories."""

KINDS = {"Boolean": "coin", "String": "category", "Categorical": "category", "Enum": "category"}
"""Of dtypes, by their names."""

KINDS_OF_OBJECTS = {"text": "category", "booleans": "coin", "numbers": "number"}
"""Of columns of Python's objects, by what these are."""


def family(value: Any) -> str:
    """What kind of thing a category is."""
    families = ((str, "text"), (bool | np.bool_, "booleans"), (Real, "numbers"))
    return next((name for kind, name in families if isinstance(value, kind)), "other values")


def kind_of(series: nw.Series) -> str:
    """Whether a column holds numbers, coins or categories.

    Raises
    ------
    ValueError
        If it is none of these, or a mixture.
    """
    name = type(series.dtype).__name__
    if name in KINDS:
        return KINDS[name]
    if series.dtype.is_numeric() and name not in WAYS_OUT:
        return "number"
    if name == "Object":
        values, missing = listed(series)
        found = {family(value) for value, gone in zip(values, missing, strict=True) if not gone}
        if len(found) == 1 and found <= set(KINDS_OF_OBJECTS):
            return KINDS_OF_OBJECTS[found.pop()]
        raise ValueError(
            f"Column {series.name!r} is of type object and holds {' and '.join(sorted(found))}; "
            "convert it to one type: numbers, booleans or strings."
        )
    raise ValueError(
        f"Column {series.name!r} is of type {series.dtype}, which is neither a number nor a "
        f"category; {WAYS_OUT.get(name, 'convert it')}, or drop it."
    )


def listed(series: nw.Series) -> tuple[list, np.ndarray]:
    """A column's values, and which of them are missing."""
    values, missing = series.to_list(), series.is_null().to_numpy().astype(bool)
    if series.dtype.is_float():
        missing = missing | np.isnan(numbers_of(series))
    return values, missing


def numbers_of(series: nw.Series) -> np.ndarray:
    """A column of numbers as floats, NaN where missing."""
    if series.dtype == nw.Object:
        values, missing = listed(series)
        return np.array(
            [np.nan if gone else value for value, gone in zip(values, missing, strict=True)],
            dtype=np.float64,
        )
    return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)


def integer_of(series: nw.Series) -> str | None:
    """numpy's name of the integers that a column holds, None if it holds others."""
    return type(series.dtype).__name__.lower() if series.dtype.is_integer() else None


def dtype_of(series: nw.Series, library: str) -> dict[str, Any]:
    """A column's dtype in words: its name, and what else it is made of.

    Parameters
    ----------
    series : narwhals Series
        The column.
    library : str
        narwhals' name of its library.

    Returns
    -------
    dtype : dict
        "dtype" and "levels", for `frame_of`.
    """
    if library == "pandas":
        dtype: Any = series.to_native().dtype
        if not hasattr(dtype, "categories"):
            return {"dtype": str(dtype)}
        levels = {
            "categories": dtype.categories.tolist(),
            "dtype": str(dtype.categories.dtype),
            "ordered": bool(dtype.ordered),
        }
        return {"dtype": "category", "levels": levels}
    kind: Any = series.dtype
    name = type(kind).__name__
    if name == "Enum":
        return {"dtype": name, "levels": {"categories": list(kind.categories)}}
    return {"dtype": name}


def frame_of(
    library: str,
    names: Sequence[Any],
    values: Sequence[np.ndarray],
    dtypes: Sequence[tuple[str, dict[str, Any] | None]],
    index: Any = None,
) -> Any:
    """A frame of a library.

    Parameters
    ----------
    library : str
        narwhals' name of it.
    names : sequence
        Labels of the columns.
    values : sequence of ndarrays of shape (n_samples,)
        Of each; None where there is none.
    dtypes : sequence of pairs
        From `dtype_of`.
    index : object
        Labels of the rows, for pandas.

    Returns
    -------
    frame : DataFrame
        Native.
    """
    backend: Any = nw.Implementation.from_string(library)
    if library == "pandas":
        pandas: Any = backend.to_native_namespace()

        def dtype(name: str, levels: dict[str, Any] | None) -> Any:
            if levels is None:
                return pandas.api.types.pandas_dtype(name)
            categories = pandas.Index(levels["categories"], dtype=levels["dtype"])
            return pandas.CategoricalDtype(categories, ordered=levels["ordered"])

        series = [
            pandas.Series(column, index=index).astype(dtype(*words))
            for column, words in zip(values, dtypes, strict=True)
        ]
        frame = pandas.concat(series, axis=1)
        frame.columns = list(names)
        return frame
    made = [
        nw.new_series(
            name,
            column.tolist(),
            nw.Enum(levels["categories"]) if levels else getattr(nw, dtype),
            backend=backend,
        )
        for name, column, (dtype, levels) in zip(names, values, dtypes, strict=True)
    ]
    return nw.from_dict({series.name: series for series in made}).to_native()
