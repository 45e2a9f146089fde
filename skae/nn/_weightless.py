"""Modules without memory, to be given their weights later."""

from typing import Any

from torch.overrides import TorchFunctionMode

CALLS = 8
"""New tensors for each weight, at most, that building a module takes."""


class Weightless(TorchFunctionMode):
    """A context in which new tensors have a shape and no memory, whatever device is asked for.

    Nothing is drawn, either: it costs nothing to build a module that is to be given its weights.

    Parameters
    ----------
    at_most : int
        Number of weights that the module has; to build a much larger one is an error.
    """

    def __init__(self, *, at_most: int):
        super().__init__()
        self.calls_left = CALLS * (at_most + CALLS)

    def __torch_function__(self, func, types, args=(), kwargs=None) -> Any:
        kwargs = dict(kwargs or {})
        if kwargs.get("device") is not None:
            kwargs["device"] = "meta"
            self.calls_left -= 1
            if self.calls_left < 0:
                raise ValueError("The architecture has more layers than there are weights.")
        if "generator" in kwargs:  # a filling with random numbers, in place
            return args[0] if args else kwargs["tensor"]
        return func(*args, **kwargs)
