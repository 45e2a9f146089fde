"""Many modules of a kind as one: a batched product in the place of many small ones."""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.func import functional_call, vmap

from skae.nn._layers import Linear, NoShortcut, Shortcut, TransposedLinear
from skae.nn._module import Autoencoder, Turn
from skae.nn._networks import ACTIVATIONS, Coder, DenseNetwork, ForeignNetwork

NUMBERS = ("beta", "level", "sparsity_weight")
"""Settings that the members of a stack may differ in: a tensor does in the place of each."""

NO_MEMBERS = (ForeignNetwork, nn.modules.batchnorm._BatchNorm)
"""Who knows what a user's module does, and running means change in every step."""

LAYERS = {Coder, DenseNetwork, nn.ModuleList, Linear, TransposedLinear, Shortcut, NoShortcut}
LAYERS.update(ACTIVATIONS.values())  # type: ignore[arg-type]
"""What takes tensors with a first dimension of members as it takes those without."""


class Stack(nn.Module):
    r"""Modules of a kind, computed together, and apart from each other.

    .. math:: L(\theta_1, \ldots, \theta_m) = \sum_i L_i(\theta_i, x_i), \qquad
        \partial L / \partial \theta_i = \partial L_i / \partial \theta_i

    so that a step on the sum is a step of each. Small ones take little longer than one of them:
    layers that are nothing else are given the weights of all members; what other modules compute is
    left to `torch.func.vmap`, which takes as long again to find out what to do.

    Parameters
    ----------
    members : sequence of Autoencoder
        Of equal `likeness`. Their parameters are copied.
    """

    progress: float | Tensor = 1.0
    is_capturable = True

    def __init__(self, members: Sequence[Any]):
        super().__init__()
        members = [with_tensors_for_numbers(member) for member in members]
        template = Method(deepcopy(members[0]))
        self._template = (template,)  # out of sight of nn.Module, which would count its parameters
        self.couples_rows = members[0].couples_rows
        self.layered = is_layered(members[0])
        number = {p: i for i, p in enumerate(members[0].parameters())}
        every_name = members[0].named_parameters(remove_duplicate=False)  # tied ones have several
        self.numbers = {f"module.{name}": number[p] for name, p in every_name}
        rows = zip(*(member.parameters() for member in members), strict=True)
        stacked = [torch.stack([p.detach() for p in row]) for row in rows]
        if self.layered:
            for parameter, values in zip(template.parameters(), stacked, strict=True):
                parameter.data = values
        self.stacked = nn.ParameterList(template.parameters() if self.layered else stacked)
        self.fixed = {
            f"module.{name}": torch.stack([member.get_buffer(name) for member in members])
            for name, _ in members[0].named_buffers(remove_duplicate=False)
        }

    def phases(self) -> list[list[Turn]]:
        """One turn of all members at once."""
        return [[Turn(list(self.stacked), self.loss, stacked=True)]]

    def loss(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> dict[str, Tensor]:
        """Terms of shape (n_members,) on batches x of shape (n, n_members, n_features)."""
        return self._each("loss", x, rng, weight)

    def error(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> Tensor:
        """Errors of shape (n_members, n) of rows x of shape (n, n_members, n_features)."""
        return self._each("error", x, rng, weight)

    def _each(self, method: str, x: Tensor, rng: Generator, weight: Tensor | None) -> Any:
        template = self._template[0]
        template.module.progress = self.progress  # type: ignore[assignment]
        if template.training != self.training:
            template.train(self.training)
        if self.layered:
            weight = None if weight is None else weight.transpose(0, 1)
            return template(method, x.transpose(0, 1), rng, weight)

        def one(tensors, x, weight):
            arguments = (method, x, rng, weight)
            return functional_call(template, tensors, arguments, tie_weights=False)

        stacked = list(self.stacked)
        tensors = self.fixed | {name: stacked[i] for name, i in self.numbers.items()}
        dims = (0, 1, None if weight is None else 1)
        return vmap(one, in_dims=dims, randomness="different")(tensors, x, weight)


class Method(nn.Module):
    """Calls a method of a module by name, as `functional_call` calls only modules."""

    def __init__(self, module: nn.Module):
        super().__init__()
        self.module = module

    def forward(self, method: str, *arguments: Any) -> Any:
        return getattr(self.module, method)(*arguments)


def is_layered(module: nn.Module) -> bool:
    """Whether a module computes all members, once its parameters and rows are those of all."""
    known = type(module) is Autoencoder and not module.couples_rows
    return known and all(type(part) in LAYERS for part in module.modules() if part is not module)


def with_tensors_for_numbers(module: nn.Module) -> Any:
    """A copy with a buffer in the place of each setting that may differ, if there is any."""
    if not any(name in vars(part) for part in module.modules() for name in NUMBERS):
        return module
    module = deepcopy(module)
    like = next(module.parameters())
    for part in module.modules():
        for name in NUMBERS:
            if name in vars(part):
                value = vars(part).pop(name)
                part.register_buffer(
                    name, torch.as_tensor(value, dtype=like.dtype, device=like.device)
                )
    return module


def likeness(module: Any) -> tuple | None:
    """What two modules have in common that can be members of one stack.

    Parameters
    ----------
    module : Autoencoder
        Any.

    Returns
    -------
    likeness : tuple or None
        Hashable; None if the module cannot be a member.
    """
    if not module.stacks or any(isinstance(part, NO_MEMBERS) for part in module.modules()):
        return None
    settings = [
        (name, type(part), [(k, v) for k, v in sorted(vars(part).items()) if is_setting(k, v)])
        for name, part in module.named_modules()
    ]
    tensors = [(name, t.shape, t.dtype, t.device) for name, t in tensors_of(module)]
    return repr(settings), repr(tensors)


def is_setting(name: str, value: Any) -> bool:
    """Whether an attribute says what a module does, beyond its tensors and what may differ."""
    return not name.startswith("_") and name not in (*NUMBERS, "training")


def tensors_of(module: nn.Module) -> list[tuple[str, Tensor]]:
    """Its parameters and buffers, by name."""
    return [*module.named_parameters(), *module.named_buffers()]


def widens(module: nn.Module) -> bool:
    """Whether `embed` may be asked for: components of zeros are nothing to this kind of module."""
    return type(module) is Autoencoder and likeness(module) is not None


def embed(narrow: nn.Module, wide: nn.Module) -> None:
    r"""Make a module with a wide code one with a narrow code.

    Parameters
    ----------
    narrow, wide : Autoencoder
        Alike but for the width of the code. The wide one's weights become the narrow one's, and
        zeros to and from the other components. There they stay: such a component is zero, which is
        the gradient of the weights from it, and nothing comes back, which is the gradient of the
        weights to it.
    """
    for small, large in zip(narrow.state_dict().values(), wide.state_dict().values(), strict=True):
        large.zero_()[tuple(map(slice, small.shape))] = small


def extract(wide: nn.Module, narrow: nn.Module) -> None:
    """Undo `embed`: take the weights of a module with a narrow code out of a wide one's."""
    for small, large in zip(narrow.state_dict().values(), wide.state_dict().values(), strict=True):
        small.copy_(large[tuple(map(slice, small.shape))])
