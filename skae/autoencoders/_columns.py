"""Columns of a table as numbers and codes of categories, and the way back to a frame."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import narwhals as nw
import numpy as np
from sklearn.preprocessing import OrdinalEncoder

from skae.autoencoders._frames import (
    dtype_of,
    family,
    frame_of,
    integer_of,
    kind_of,
    listed,
    numbers_of,
)

MAX_CATEGORIES = 1000
"""Of a column: each is a cell, and has weights of its own."""


@dataclass(frozen=True, kw_only=True)
class Column:
    """What a column held in fit.

    Parameters
    ----------
    name : object
        Its label, or its number in an array.
    categories : list or None
        In the order of their codes; None for numbers.
    dtype : str
        Its name in the library.
    integer : str or None
        numpy's name of the dtype whose range numbers are rounded to and kept in.
    levels : dict or None
        What else the dtype of a categorical column is made of.
    """

    name: Any
    categories: list | None = None
    dtype: str = "Float64"
    integer: str | None = None
    levels: dict[str, Any] | None = None

    def __post_init__(self):
        words = (self.categories, list), (self.dtype, str), (self.integer, str), (self.levels, dict)
        if any(not isinstance(value, kind | None) for value, kind in words):
            raise ValueError(f"{self.name!r} is not described as a column is")

    @property
    def is_number(self) -> bool:
        """Whether it has no categories."""
        return self.categories is None

    @property
    def is_binary(self) -> bool:
        """Whether one cell says which category it is."""
        return self.categories is not None and len(self.categories) == 2

    @property
    def rank(self) -> int:
        """Dimensions in which its cells vary."""
        return 1 if self.categories is None else max(1, len(self.categories)) - 1

    def coded(self, values: Sequence[Any], missing: np.ndarray, unknown: str) -> np.ndarray:
        """Codes of categories, NaN where there is none, of shape (n_samples,), float64.

        Raises
        ------
        ValueError
            If there are other categories, and `unknown` is "error" or they are of another kind.
        """
        codes = np.full(len(missing), np.nan)
        items: np.ndarray = np.empty((len(missing), 1), dtype=object)
        items[:, 0] = values
        known = np.flatnonzero(~missing)
        if not len(known):
            return codes
        kept: np.ndarray = np.empty(len(self.categories or []), dtype=object)
        kept[:] = self.categories
        encoder = OrdinalEncoder(
            categories=[kept], handle_unknown="use_encoded_value", unknown_value=np.nan
        )
        codes[known] = encoder.fit(kept[:, None]).transform(items[known])[:, 0]
        strange = [values[i] for i in known[np.isnan(codes[known])]]
        if strange:
            shown = ", ".join(dict.fromkeys(repr(value) for value in strange[:100]))[:200]
            kinds = {family(value) for value in self.categories or []}
            if unknown == "error":
                raise ValueError(
                    f"Column {self.name!r} holds categories that fit has not seen: {shown}. Pass "
                    "handle_unknown='missing' to take them for missing ones."
                )
            if kinds.isdisjoint(map(family, strange)):
                raise ValueError(
                    f"Column {self.name!r} held {min(kinds)} in fit, but now values like {shown}; "
                    "convert the column to what it was."
                )
        return codes

    def decoded(self, codes: np.ndarray) -> np.ndarray:
        """Values for a column of a coded table; None where it is NaN."""
        if self.categories is not None:
            found: np.ndarray = np.empty(len(codes), dtype=object)
            found[:] = [None if np.isnan(code) else self.categories[int(code)] for code in codes]
            return found
        if self.integer is None:
            return codes
        limits = np.iinfo(self.integer)
        largest = np.nextafter(float(limits.max), 0) if limits.bits == 64 else float(limits.max)
        whole = np.clip(np.rint(codes.astype(np.float64)), float(limits.min), largest)
        if not np.isnan(whole).any():
            return whole.astype(self.integer)
        return np.array([None if np.isnan(value) else int(value) for value in whole], dtype=object)


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The columns of a table.

    Parameters
    ----------
    library : str or None
        narwhals' name of the library of the frame; None is an array.
    columns : list of Column
        In their order.
    """

    library: str | None
    columns: list[Column] = field(default_factory=list)

    @classmethod
    def of_frame(cls, frame: nw.DataFrame, categorical_features: Any) -> "Columns":
        """What the columns of a frame are; see `of_array`."""
        names = frame.columns
        chosen = chosen_columns(categorical_features, names)
        found = []
        for i, name in enumerate(names):
            series = frame.get_column(name)
            kind = kind_of(series)
            wants = {"category"} if chosen is None else {"category" if chosen[i] else "number"}
            if kind == "number" and "category" in wants and chosen is not None:
                kind = "category"
            if kind == "category" and "category" not in wants:
                raise ValueError(
                    f"Column {name!r} is of type {series.dtype}, but categorical_features="
                    f"{categorical_features!r} leaves it out; add it, or convert it to numbers."
                )
            dtype = dtype_of(series, frame.implementation.value)
            if kind == "number":
                found.append(Column(name=name, integer=integer_of(series), **dtype))
                continue
            values, missing = listed(series)
            declared = (dtype.get("levels") or {}).get("categories")
            categories = [False, True] if kind == "coin" else observed(values, missing, declared)
            check_number(name, categories)
            found.append(Column(name=name, categories=categories, **dtype))
        return cls(library=frame.implementation.value, columns=found)

    @classmethod
    def of_array(cls, X: np.ndarray, categorical_features: Any, names: Any = None) -> "Columns":
        """What the columns of an array of floats are: numbers, unless they are chosen.

        Raises
        ------
        ValueError
            If there is no such column, or one has too many categories.
        """
        chosen = chosen_columns(categorical_features, names, n_features=X.shape[1])
        found = []
        for j in range(X.shape[1]):
            categories = None
            if chosen is not None and chosen[j]:
                categories = np.unique(X[~np.isnan(X[:, j]), j]).tolist()
                check_number(j, categories)
            found.append(Column(name=j, categories=categories))
        return cls(library=None, columns=found)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many there are, how many are binary, and the numbers of the others' categories."""
        sizes = [len(c.categories or []) for c in self.columns if not (c.is_number or c.is_binary)]
        return len(self.columns), sum(column.is_binary for column in self.columns), *sizes

    @property
    def names(self) -> list:
        """Their labels."""
        return [column.name for column in self.columns]

    @property
    def takes_arrays(self) -> bool:
        """Whether an array says as much as a frame: there are no categories with names."""
        return self.library is None or all(column.categories is None for column in self.columns)

    def named(self, names: Sequence[Any]) -> "Columns":
        """The same with other labels."""
        pairs = zip(self.columns, names, strict=True)
        return replace(self, columns=[replace(column, name=name) for column, name in pairs])

    @property
    def rank(self) -> int:
        """Dimensions in which rows vary."""
        return max(1, sum(column.rank for column in self.columns))

    def coded(self, X: np.ndarray | nw.DataFrame, unknown: str) -> np.ndarray:
        """Rows as numbers and codes of categories.

        Parameters
        ----------
        X : ndarray of floats or narwhals DataFrame of shape (n_samples, n_features)
            Rows with these columns.
        unknown : {"missing", "error"}
            What categories are that are none of these.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features), float64 or float32
            NaN is missing.
        """
        if isinstance(X, np.ndarray):
            out = X.copy() if any(column.categories for column in self.columns) else X
            for j, column in enumerate(self.columns):
                if column.categories is not None:
                    out[:, j] = column.coded(X[:, j].tolist(), np.isnan(X[:, j]), unknown)
            return out
        numbers = [c for c in self.columns if c.categories is None]
        single = numbers and all(X.get_column(c.name).dtype == nw.Float32 for c in numbers)
        out = np.empty((len(X), len(self.columns)), dtype=np.float32 if single else np.float64)
        for j, column in enumerate(self.columns):
            series = X.get_column(column.name)
            if column.categories is not None:
                out[:, j] = column.coded(*listed(series), unknown)
            elif series.is_null().all():
                out[:, j] = np.nan
            elif kind_of(series) == "category":
                raise ValueError(
                    f"Column {column.name!r} held numbers in fit, but is of type {series.dtype} "
                    "now; convert it to numbers."
                )
            else:
                out[:, j] = numbers_of(series)
        return out

    def shares(self, cells: np.ndarray, source: np.ndarray) -> dict[Any, np.ndarray]:
        """Probabilities of each column of categories, by its name.

        Parameters
        ----------
        cells : ndarray of shape (n_samples, n_cells)
            Probabilities of categories, or, of a coin, of its second.
        source : ndarray of shape (n_cells,)
            Which column each is of.

        Returns
        -------
        shares : dict of ndarrays of shape (n_samples, n_categories)
            Whose rows sum to 1.
        """
        found = {}
        for j, column in enumerate(self.columns):
            if column.categories is not None:
                share = cells[:, source == j]
                found[column.name] = np.hstack([1 - share, share]) if column.is_binary else share
        return found

    def decoded(self, X: np.ndarray, index: Any = None) -> Any:
        """A frame of the library that fit saw, or an array, for coded rows."""
        values = [column.decoded(X[:, j]) for j, column in enumerate(self.columns)]
        if self.library is None:
            out = X.copy()
            for j, column in enumerate(self.columns):
                if column.categories is not None:
                    out[:, j] = values[j].astype(X.dtype)
            return out
        dtypes = [(column.dtype, column.levels) for column in self.columns]
        return frame_of(self.library, self.names, values, dtypes, index)


def observed(values: list, missing: np.ndarray, declared: list | None) -> list:
    """Categories that are there, in the order of the dtype or, if it has none, sorted."""
    found = {value for value, gone in zip(values, missing, strict=True) if not gone}
    return sorted(found) if declared is None else [value for value in declared if value in found]


def check_number(name: Any, categories: list) -> None:
    """Refuse columns of which nearly every row is a category of its own."""
    if len(categories) > MAX_CATEGORIES:
        raise ValueError(
            f"Column {name!r} has {len(categories)} categories, and at most {MAX_CATEGORIES} are "
            "allowed; drop it if it names rows, or group the rare ones."
        )


def chosen_columns(
    categorical_features: Any, names: Any, n_features: int | None = None
) -> np.ndarray | None:
    """Which columns a user calls categories, as bools; None leaves that to their dtypes.

    Raises
    ------
    ValueError
        If there is no such column.
    """
    n_features = len(names) if n_features is None else n_features
    if isinstance(categorical_features, str):  # "from_dtype"
        return None
    chosen = np.zeros(n_features, dtype=bool)
    wanted = np.asarray([] if categorical_features is None else categorical_features, dtype=object)
    if len(wanted) == n_features and all(isinstance(item, bool | np.bool_) for item in wanted):
        return wanted.astype(bool)
    places = {name: i for i, name in enumerate([] if names is None else names)}
    for item in wanted:
        place = places.get(item, item) if isinstance(item, str) else item
        if not isinstance(place, int | np.integer) or not 0 <= place < n_features:
            raise ValueError(
                f"categorical_features names {item!r}, but X has {n_features} features"
                + (f", {', '.join(map(repr, list(places)[:10]))}" if places else "")
                + "; pass names, numbers from 0, or one bool for each."
            )
        chosen[int(place)] = True
    return chosen
