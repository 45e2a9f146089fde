"""The border posts between arrays and tensors; nowhere else in skae are they crossed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from skae.training._memory import Portion

CHUNK = 2**18
"""Cells that are on their way at once: 2 MiB of float64, which caches hold."""


def rows_at_once(n_features: int) -> int:
    """How many rows of a table make a chunk.

    Parameters
    ----------
    n_features : int
        Columns of the widest array involved.

    Returns
    -------
    n_rows : int
        At least 1.
    """
    return max(1, CHUNK // max(1, n_features))


def to_tensor(
    array: np.ndarray, *, dtype: torch.dtype | None = None, device: torch.device | str = "cpu"
) -> Tensor:
    """The way in: a tensor that shares no memory with the array.

    Parameters
    ----------
    array : ndarray
        May be read-only, memory-mapped, reversed or in Fortran order.
    dtype : torch.dtype or None
        None keeps the array's.
    device : torch.device or str, default="cpu"
        Where the tensor lives.

    Returns
    -------
    tensor : Tensor
        A copy, shaped like the array.
    """
    return torch.as_tensor(np.array(array, order="C"), dtype=dtype, device=device)


def rows_to_tensor(
    X: np.ndarray, rows: np.ndarray, *, dtype: torch.dtype, device: torch.device | str
) -> Tensor:
    """The way in for some of the rows of a table, without another copy of them.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        All rows.
    rows : ndarray of int, of shape (n,)
        Which ones.
    dtype : torch.dtype
        The tensor's.
    device : torch.device or str
        Where it lives.

    Returns
    -------
    tensor : Tensor of shape (n, n_features)
        Shares no memory with X.
    """
    tensor = torch.empty((len(rows), X.shape[1]), dtype=dtype, device=device)
    step = rows_at_once(X.shape[1])
    for start in range(0, len(rows), step):
        some = slice(start, start + step)
        tensor[some] = torch.from_numpy(X[rows[some]])
    return tensor


def to_numpy(tensor: Tensor) -> np.ndarray:
    """The way out.

    Parameters
    ----------
    tensor : Tensor
        On any device.

    Returns
    -------
    array : ndarray
        In host memory, with the tensor's values and no tie to the tensor's graph.
    """
    return tensor.detach().cpu().numpy()


def map_rows(
    function: Callable[[Tensor], Tensor],
    X: Any,
    *,
    dtype: np.dtype,
    width: int,
    device: torch.device | str,
) -> Any:
    """Apply a function of tensors to the rows of an array, chunk by chunk.

    Where memory runs out, the chunks become smaller.

    Parameters
    ----------
    function : callable of a tensor of shape (n, n_columns)
        Gives a tensor with n rows.
    X : ndarray, sparse array or Tensor of shape (n_samples, n_columns)
        Rows, at least one.
    dtype : np.dtype
        Of the computation and its result.
    width : int
        Columns of the widest array involved.
    device : torch.device or str
        Where to compute.

    Returns
    -------
    Y : ndarray or Tensor with n_samples rows
        A new array; a tensor, on X's device, if X is one.
    """

    def compute(rows: slice) -> Tensor:
        some = X[rows].toarray() if sp.issparse(X) else X[rows]
        if isinstance(X, Tensor):
            return function(some.to(device, torch_dtype))
        return function(to_tensor(some.astype(dtype, copy=False), device=device))

    torch_dtype = getattr(torch, np.dtype(dtype).name)
    Y = torch.empty(0)
    for rows, y in Portion(rows_at_once(width)).map(compute, X.shape[0]):
        if rows.start == 0:
            where = X.device if isinstance(X, Tensor) else "cpu"
            Y = torch.empty((X.shape[0], *y.shape[1:]), dtype=torch_dtype, device=where)
        Y[rows] = y
    return Y if isinstance(X, Tensor) else to_numpy(Y)


def standardized(
    X: np.ndarray, location: np.ndarray, scale: float, *, dtype: type = np.float64
) -> np.ndarray:
    """Shift and rescale rows; computed in float64, so that large offsets do no harm.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    location : ndarray of shape (n_features,)
        What is subtracted.
    scale : float
        What the difference is divided by.
    dtype : type, default=np.float64
        Of the result.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
        A new array.
    """
    out: np.ndarray = np.empty(X.shape, dtype=dtype)
    step = rows_at_once(X.shape[1])
    for start in range(0, len(X), step):
        rows = slice(start, start + step)
        out[rows] = (X[rows].astype(np.float64) - location) / scale
    return out
