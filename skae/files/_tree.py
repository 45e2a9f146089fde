"""Trees of values and arrays, as JSON beside a dictionary of arrays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

PLAIN = (bool, int, float, str, type(None))
"""What JSON keeps as it is, floats to the last bit."""

KEPT_DTYPES = {np.dtype(name) for name in ("bool", "f2", "f4", "f8", "i1", "i2", "i4", "i8")}
KEPT_DTYPES |= {np.dtype(name) for name in ("u1", "u2", "u4", "u8")}


class TreeError(ValueError):
    """A tree that cannot be packed, or JSON that is none.

    Parameters
    ----------
    message : str
        What is the matter.
    path : tuple of str
        Where in the tree.
    """

    def __init__(self, message: str, path: tuple[str, ...] = ()):
        super().__init__(message)
        self.path = path


def pack(
    tree: Any, record: Callable[[Any], tuple[str, Mapping] | None]
) -> tuple[Any, dict[str, np.ndarray]]:
    """Take a tree apart.

    Parameters
    ----------
    tree : object
        None, bools, numbers, strings, arrays, and lists, tuples, dictionaries and records of them.
    record : callable of a value
        The name and the fields of a value that is a record, else None.

    Returns
    -------
    content : object
        What JSON can hold: plain values and lists as they are, all else as ``{kind: ...}``.
    arrays : dict of str to ndarray
        In C order, named after their places in the tree.

    Raises
    ------
    TreeError
        If there is anything else in the tree; its `path` says where.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.files import pack, unpack
    >>> tree = {"shape": (2, 3), "weights": {"bias": np.zeros(2)}}
    >>> content, arrays = pack(tree, lambda value: None)
    >>> content
    {'dict': {'shape': {'tuple': [2, 3]}, 'weights': {'dict': {'bias': {'array': 'weights/bias'}}}}}
    >>> unpack(content, arrays, None)
    {'shape': (2, 3), 'weights': {'bias': array([0., 0.])}}
    """
    arrays: dict[str, np.ndarray] = {}

    def stored(array: np.ndarray, path: tuple[str, ...]) -> str:
        name = "/".join(path) or "."
        if array.dtype not in KEPT_DTYPES:
            raise TreeError(f"an array of dtype {array.dtype}", path)
        if name in arrays:
            raise TreeError(f"two arrays by the name {name!r}", path)
        arrays[name] = np.array(array, order="C")
        return name

    def branches(fields: Mapping, path: tuple[str, ...]) -> dict[str, Any]:
        if odd := [key for key in fields if not isinstance(key, str)]:
            raise TreeError(f"a key that is not a string, {odd[0]!r}", path)
        return {key: packed(value, (*path, key)) for key, value in fields.items()}

    def items(values: Sequence, path: tuple[str, ...]) -> list:
        return [packed(value, (*path, str(i))) for i, value in enumerate(values)]

    def array(value: np.ndarray, path: tuple[str, ...]) -> dict[str, Any]:
        if value.dtype == object and value.ndim == 1 and all(type(item) is str for item in value):
            return {"strings": value.tolist()}
        # in which order an array lies may show in the last bit of what is computed from it
        turned = value.flags.f_contiguous and not value.flags.c_contiguous
        return {"turned": stored(value.T, path)} if turned else {"array": stored(value, path)}

    kinds: dict[type, Callable[[Any, tuple[str, ...]], Any]] = {
        **dict.fromkeys(PLAIN, lambda value, path: value),
        list: items,
        tuple: lambda value, path: {"tuple": items(value, path)},
        dict: lambda value, path: {"dict": branches(value, path)},
        np.str_: lambda value, path: {"string": str(value)},
        np.ndarray: array,
        np.memmap: array,
    }

    def packed(value: Any, path: tuple[str, ...]) -> Any:
        if type(value) in kinds:
            return kinds[type(value)](value, path)
        if isinstance(value, np.generic):
            return {"scalar": stored(np.asarray(value), path)}
        if (named := record(value)) is not None:
            return {"record": named[0], "fields": branches(named[1], path)}
        raise TreeError(f"a {type(value).__name__}", path)

    return packed(tree, ()), arrays


def unpack(
    content: Any,
    arrays: Mapping[str, np.ndarray],
    make: Callable[[str, dict[str, Any]], Any] | None,
) -> Any:
    """Put a tree together again.

    Parameters
    ----------
    content : object
        From `pack`, or whatever else JSON may hold.
    arrays : dict of str to ndarray
        From `pack`.
    make : callable of (name, fields), or None
        Makes a record, or refuses to.

    Returns
    -------
    tree : object
        Equal to what `pack` was given.

    Raises
    ------
    TreeError
        If `content` is not what `pack` makes, or does not name every array once.
    """
    unused = set(arrays)

    def array(name: Any) -> np.ndarray:
        if not isinstance(name, str) or name not in unused:
            raise TreeError(f"no array {name!r}, or not for a second time")
        unused.remove(name)
        return arrays[name]

    def scalar(name: Any) -> Any:
        value = array(name)
        if value.ndim:
            raise TreeError(f"an array of shape {value.shape} for a number")
        return value[()]

    def items(content: Any) -> list:
        if not isinstance(content, list):
            raise TreeError(f"a {type(content).__name__} for a list")
        return [unpacked(item) for item in content]

    def branches(content: Any) -> dict[str, Any]:
        if not isinstance(content, dict):
            raise TreeError(f"a {type(content).__name__} for a dictionary")
        return {key: unpacked(value) for key, value in content.items()}

    def strings(content: Any) -> np.ndarray:
        if not isinstance(content, list) or not all(isinstance(item, str) for item in content):
            raise TreeError("something else among strings")
        return np.array([*content, None], dtype=object)[:-1]  # never parsed, however they look

    kinds: dict[str, Callable[[Any], Any]] = {
        "tuple": lambda content: tuple(items(content)),
        "dict": branches,
        "array": array,
        "turned": lambda name: array(name).T,
        "scalar": scalar,
        "string": np.str_,
        "strings": strings,
    }

    def unpacked(content: Any) -> Any:
        if isinstance(content, PLAIN):
            return content
        if isinstance(content, list):
            return items(content)
        if make is not None and isinstance(content, dict) and set(content) == {"record", "fields"}:
            return make(str(content["record"]), branches(content["fields"]))
        if isinstance(content, dict) and len(content) == 1:
            kind, inner = next(iter(content.items()))
            if kind in kinds:
                return kinds[kind](inner)
        raise TreeError(f"{str(content)[:60]!r} for a value")

    tree = unpacked(content)
    if unused:
        raise TreeError(f"an array that nothing names, {min(unused)!r}")
    return tree
