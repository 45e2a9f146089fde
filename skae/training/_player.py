"""Who moves parameters: a turn, with the optimiser of what it may move."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn, optim

from skae.nn import Turn


class Player:
    r"""Makes the steps of a turn.

    The parameters, and their gradients, are made views of two vectors: one of those that decay,
    one of the others. A step takes the same few operations then, however many of them there are.

    Parameters
    ----------
    turn : Turn
        Whose parameters move.
    solver : callable of a list of groups
        Makes the optimiser.
    alpha : float
        Decay of the weight matrices; offsets and gains are left alone.

    Attributes
    ----------
    weights, gradients : list of Tensor of shape (n,), or (n_members, n)
        What moves and by what, to be measured: the vectors, or of a stack each parameter apart,
        where the members stand one below the other.
    """

    def __init__(self, turn: Turn, solver: Callable[[list[dict]], optim.Optimizer], alpha: float):
        self.loss, self.parameters = turn.loss, turn.parameters
        kinds: dict[float, list[nn.Parameter]] = {}
        for parameter in turn.parameters:
            decays = parameter.ndim > 1 + turn.stacked
            kinds.setdefault(alpha if decays else 0.0, []).append(parameter)
        self._vectors: list[Any] = [side_by_side(some) for some in kinds.values()]
        measured: list[Any] = turn.parameters if turn.stacked else self._vectors
        first = int(turn.stacked)
        self.weights = [part.detach().flatten(first) for part in measured]
        self.gradients = [part.grad.flatten(first) for part in measured]
        each = zip(self._vectors, kinds, strict=True)
        self.optimizer = solver([{"params": [v], "weight_decay": decay} for v, decay in each])

    def forget(self) -> None:
        """Make the gradients zero, to which the losses' backward passes add."""
        for vector in self._vectors:
            vector.grad.zero_()

    def make_capturable(self) -> None:
        """Have the optimiser keep all that changes from step to step in tensors."""
        for group in self.optimizer.param_groups:
            group["capturable"] = True
        # it would warn of steps that are not captured, and the first one is not
        self.optimizer._warned_capturable_if_run_uncaptured = True  # type: ignore[attr-defined]

    @torch.no_grad()
    def step(self, rate: float | Tensor, longest: float) -> Tensor:
        """Go down the gradients, which are shortened to `longest`; their norm before that."""
        norm = norm_of(self.gradients)
        factor = (longest / (norm + 1e-6)).clamp_(max=1.0)  # as clip_grad_norm_ has it
        for gradient in self.gradients:
            gradient.mul_(factor[..., None])
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        return norm


def norm_of(vectors: list[Tensor]) -> Tensor:
    """Euclidean norm of all together, or of each row of all together."""
    if vectors[0].ndim == 2:  # many, and small
        return torch.linalg.vector_norm(torch.cat(vectors, dim=-1), dim=-1)
    norms = [torch.linalg.vector_norm(vector, dim=-1) for vector in vectors]
    return norms[0] if len(norms) == 1 else torch.linalg.vector_norm(torch.stack(norms), dim=0)


@torch.no_grad()
def side_by_side(parameters: list[nn.Parameter]) -> nn.Parameter:
    """Make parameters, and their gradients, views of one.

    Parameters
    ----------
    parameters : list of nn.Parameter
        Keep their values.

    Returns
    -------
    vector : nn.Parameter of shape (n,)
        With a gradient of zeros.
    """
    parts = [p.detach().flatten() for p in parameters]
    vector = nn.Parameter(torch.cat(parts))
    vector.grad = torch.zeros_like(vector)
    sizes = [len(part) for part in parts]
    slots = zip(vector.detach().split(sizes), vector.grad.split(sizes), strict=True)
    for parameter, (value, gradient) in zip(parameters, slots, strict=True):
        parameter.data, parameter.grad = value.view_as(parameter), gradient.view_as(parameter)
    return vector
