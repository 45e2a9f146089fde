"""What makes a fit the same as another: the parameters, the data, and who computes."""

import hashlib
from functools import singledispatch
from typing import Any

import numpy as np
import torch
from torch import nn

from skae._version import __version__
from skae.autoencoders._table import Table
from skae.training import Checkpoint, CheckpointFile, resolve_device, rows_at_once, to_numpy

WITHOUT_EFFECT = {"checkpoint", "verbose", "device"}


def checkpoint_of(estimator: Any, table: Table) -> Checkpoint:
    """The file that an estimator keeps its fit in, or one that keeps nothing.

    Parameters
    ----------
    estimator : BaseAutoencoder
        Whose `checkpoint` it is.
    table : Table
        What it learns from.

    Returns
    -------
    checkpoint : Checkpoint
        A context for the fit.
    """
    if estimator.checkpoint is None:
        return Checkpoint()
    return CheckpointFile(estimator.checkpoint, identity(estimator, table))


def identity(estimator: Any, table: Table) -> dict[str, str]:
    """What an estimator's fit depends on, by names that its user knows.

    Parameters
    ----------
    estimator : BaseAutoencoder
        With the parameters of the fit, and what a warm start goes on from.
    table : Table
        What it learns from; all rows are read.

    Returns
    -------
    identity : dict of str to str
        Equal for fits that end with the same bits.
    """
    parameters = {
        name: described(value)
        for name, value in estimator.get_params(deep=False).items()
        if name not in WITHOUT_EFFECT
    }
    if table.splits is not None:
        parameters.pop("cv")  # a splitter, or a generator of splits
    previous = getattr(estimator, "module_", None) if estimator.warm_start else None
    return {
        "the estimator": type(estimator).__name__,
        **parameters,
        "X": described(table.X),
        "sample_weight": described(table.weights),
        "y": described(table.labels),
        "the splits": str([described(part) for split in table.splits or [] for part in split]),
        "what it goes on from": described(previous),
        "the device": str(resolve_device(estimator.device)),
        "torch": torch.__version__,
        "skae": __version__,
    }


@singledispatch
def described(value: Any) -> str:
    """A text that is the same for values that are the same, in every process."""
    return repr(value)


@described.register
def _(value: np.ndarray) -> str:
    rows, digest = np.atleast_1d(value), hashlib.blake2b(digest_size=8)
    step = rows_at_once(rows[:1].size)
    for start in range(0, len(rows), step):
        digest.update(np.ascontiguousarray(rows[start : start + step]).data)
    return f"{value.dtype} of shape {value.shape} with hash {digest.hexdigest()}"


@described.register
def _(value: nn.Module) -> str:
    digest = hashlib.blake2b(repr(value).encode(), digest_size=8)
    for name, tensor in value.state_dict().items():
        digest.update(name.encode() + described(to_numpy(tensor)).encode())
    return f"{type(value).__name__} with hash {digest.hexdigest()}"


@described.register
def _(value: np.random.RandomState) -> str:
    state: Any = value.get_state(legacy=True)
    name, key, *rest = state
    return f"{name} in state {described(key)} {rest}"
