"""Arrays of other libraries: scikit-learn's array API, whose helpers are private, in one place."""

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
import scipy.sparse as sp
from sklearn import get_config
from sklearn.utils._array_api import (
    _is_numpy_namespace,
    check_same_namespace,
    get_namespace,
    get_namespace_and_device,
    move_to,
)
from torch import Tensor

from skae.training import to_numpy

__all__ = [
    "FollowsInput",
    "check_same_namespace",
    "floats_of",
    "get_namespace",
    "has_gaps",
    "like",
    "numpy_dtype",
    "on_host",
    "readable",
    "refuse_device_without_dispatch",
]


def on_host(X: Any) -> Any:
    """An array as one of numpy, which shares its memory if that is the host's.

    Parameters
    ----------
    X : array of any library, sparse array or anything else
        What is not an array stays as it is.

    Returns
    -------
    X : ndarray or object
        Without a copy, if it can be had so.
    """
    if isinstance(X, Tensor):  # `move_to` leaves it alone where dispatch is off
        return to_numpy(X)
    is_foreign = hasattr(X, "__dlpack__") and not isinstance(X, np.ndarray)
    return move_to(X, xp=np, device="cpu") if is_foreign else X


def readable(X: Any) -> Any:
    """Rows in a form that the border posts of training take: numpy, scipy.sparse or torch."""
    return X if isinstance(X, Tensor | np.ndarray) or sp.issparse(X) else on_host(X)


def like(Y: Any, X: Any) -> Any:
    """An array as one of the library, and on the device, of another.

    Parameters
    ----------
    Y : ndarray or Tensor
        What was computed.
    X : array-like, sparse matrix or Tensor
        What it was computed from.

    Returns
    -------
    Y : array
        Of X's library, and of numpy if X has none or dispatch is off.
    """
    if not get_config()["array_api_dispatch"]:
        return on_host(Y)
    xp, _, device = get_namespace_and_device(X)
    return on_host(Y) if _is_numpy_namespace(xp) else move_to(Y, xp=xp, device=device)


def numpy_dtype(dtype: Any) -> np.dtype:
    """The name that numpy has for a number type of any library."""
    name = dtype if isinstance(dtype, np.dtype | type) else str(dtype).rpartition(".")[2]
    return np.dtype(name)


def floats_of(X: Any) -> list[Any]:
    """Double and single precision, as X's library calls them."""
    xp, _ = get_namespace(X)
    return [xp.float64, xp.float32]


def has_gaps(X: Any) -> bool:
    """Whether rows that training can read have missing cells."""
    return bool(X.isnan().any() if isinstance(X, Tensor) else np.isnan(getattr(X, "data", X)).any())


def refuse_device_without_dispatch(X: Any) -> None:
    """Refuse tensors that are not in the host's memory, where scikit-learn would need them there.

    Parameters
    ----------
    X : object
        What is given as rows.

    Raises
    ------
    TypeError
        With the way out.
    """
    if isinstance(X, Tensor) and X.device.type != "cpu" and not get_config()["array_api_dispatch"]:
        raise TypeError(
            f"X is a tensor on {X.device.type!r}; set "
            "sklearn.set_config(array_api_dispatch=True) to get results there, too, or pass "
            "X.cpu()."
        )


class FollowsInput:
    """An estimator whose arrays are of the library, and on the device, of what it was fitted on."""

    def _follow(self, X: Any) -> None:
        """Move the arrays that a fit has found to where its rows are."""
        self.__dict__.update(self._moved(lambda array: like(array, X)))

    def _moved(self, move: Callable[[Any], Any]) -> dict[str, Any]:
        return {
            name: move(value)
            for name, value in vars(self).items()
            if name.endswith("_")
            and isinstance(value, np.ndarray | Tensor)
            and value.dtype != object  # names of features stay
        }

    def __sklearn_array_api_convert__(self, converter):
        # the module is shared, as it never changes, and computes wherever `device` says
        moved = copy(self)
        moved.__dict__.update(self._moved(converter))
        return moved
