"""Modules that are nothing but named tensors and what is done with them."""

from collections.abc import Iterable
from typing import Any, ClassVar

from torch import Tensor, nn


class Tensors(nn.Module):
    """A module of buffers, by the names that a subclass annotates.

    Parameters
    ----------
    **tensors : Tensor
        One for each name.
    """

    names: ClassVar[frozenset[str]]

    def __init_subclass__(cls, **settings: Any):
        super().__init_subclass__(**settings)
        cls.names = frozenset(cls.__annotations__)

    def __init__(self, **tensors: Tensor):
        super().__init__()
        if set(tensors) != self.names:
            raise TypeError(
                f"{type(self).__name__} is made of {sorted(self.names)}, not of {sorted(tensors)}."
            )
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor)


def made_of(kinds: Iterable[type[Tensors]], tensors: dict[str, Tensor]) -> Tensors:
    """The one of some kinds that is made of tensors of these names.

    Parameters
    ----------
    kinds : iterable of subclasses of Tensors
        No two of the same names.
    tensors : dict of str to Tensor
        By name.

    Returns
    -------
    module : Tensors
        Of the kind that they make.
    """
    return next(kind for kind in kinds if kind.names == set(tensors))(**tensors)
