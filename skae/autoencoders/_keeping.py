"""An estimator as values and arrays: what a pickle holds, and what a file of skae does."""

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator
from torch import nn

from skae.autoencoders._namespaces import on_host
from skae.files import TreeError, pack, seal, write
from skae.nn import Canonical, Weightless
from skae.training import generator, to_numpy, to_tensor

STATE_VERSION = 1
"""Of the states that are stored; a later one is refused."""


class Storable:
    """An estimator that is stored as arrays and the fitted architecture, and built again from them.

    A pickle holds no tensor, then, and nothing that is tied to a device; and what it holds can
    stand in a file without code.
    """

    _build: Any  # of a class that has a fitted module
    _canonical: ClassVar[Any]
    _fitted_architecture: dict[str, Any]

    def __getstate__(self):
        """Arrays in place of the fitted module, and modules of the user's on the CPU."""
        state = {
            name: deepcopy(value).cpu() if isinstance(value, nn.Module) else on_host(value)
            for name, value in super().__getstate__().items()
            if name not in ("module_", "_reservoir")  # which is made of rows
        }
        if hasattr(self, "module_"):
            tensors = tensors_of(self.module_)
            state["_weights"] = {name: to_numpy(tensor) for name, tensor in tensors.items()}
        return state | {"_state_version": STATE_VERSION}

    def __setstate__(self, state):
        """Build the module from the fitted architecture, on the CPU."""
        state = dict(state)
        version = state.pop("_state_version", STATE_VERSION)
        if version > STATE_VERSION:
            raise ValueError(
                f"A later version of skae stored this {type(self).__name__}: its state has version "
                f"{version}, and this one reads up to {STATE_VERSION}; upgrade skae, or fit and "
                "store it anew."
            )
        weights = state.pop("_weights", None)
        super().__setstate__(state)
        if weights is not None:
            self.module_ = self._module_of(weights)

    def _module_of(self, weights: dict[str, np.ndarray]) -> Canonical:
        with Weightless(at_most=len(weights)):  # shapes are checked before there is memory for them
            module = self._build(self._fitted_architecture, generator(0))
        canonical = self._canonical.of(
            module, {name: to_tensor(weight) for name, weight in weights.items()}
        )
        if tensors_of(canonical).keys() != weights.keys():
            raise ValueError("The weights are not those of the fitted architecture.")
        return canonical

    def save(self, path):
        """Write the estimator to a file that holds no code, for :func:`skae.load`.

        It is one safetensors file: weights and other arrays, and everything else as JSON. A file
        that is there already is replaced once the new one is complete.

        Parameters
        ----------
        path : str or path-like
            Where.

        Raises
        ------
        TypeError
            If a parameter is a module of the user's, a RandomState, or anything else that is not
            made of numbers, strings and arrays, or if the class is not one of skae: pickle the
            estimator then.
        ValueError
            If the weights hold NaN or infinity.
        OSError
            If the file cannot be written.
        """
        if as_record(self) is None:
            raise TypeError(
                f"{type(self).__name__} is not a class of skae, so that a file cannot name it; "
                "pickle it instead."
            )
        try:
            content, arrays = pack(self, as_record)
        except TreeError as error:
            name = error.path[0]
            raise TypeError(
                f"{name} holds {error}, but a file can hold numbers, strings and arrays alone; "
                f"pickle the {type(self).__name__} instead, or, if {name} is a parameter that is "
                "no longer of use, set it to a plain value first."
            ) from None
        check_finite(weights_among(arrays))
        write(path, seal(content, arrays))


def tensors_of(module: nn.Module) -> dict[str, torch.Tensor]:
    """Parameters and buffers by name, shared ones once."""
    return dict([*module.named_parameters(), *module.named_buffers()])


def weights_among(arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The weights of modules among the arrays of a file, by name."""
    return {name: array for name, array in arrays.items() if "_weights" in name.split("/")}


def check_finite(arrays: Mapping[str, np.ndarray]) -> None:
    """Refuse what no estimator is of use with.

    Parameters
    ----------
    arrays : dict of str to ndarray
        By the names to call them by.

    Raises
    ------
    ValueError
        If a number is NaN or infinite.
    """
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise ValueError(f"{name} holds NaN or infinity, so that the estimator is of no use")


def as_record(value: Any) -> tuple[str, dict[str, Any]] | None:
    """The name and the fields of a value that a file may hold as a record."""
    cls = type(value)
    if isinstance(value, BaseEstimator) and cls.__module__.partition(".")[0] == "skae":
        fields = dict(value.__getstate__())
        fields.pop("_skl_callbacks", None)  # they watch fits, and may be anything
        return cls.__name__, fields
    return None
