"""Whether a module's gradients are the derivatives of what it computes."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial, singledispatch
from typing import Any

import numpy as np
import torch
from sklearn.utils import check_array, check_random_state
from torch import Generator, Tensor, nn
from torch.autograd.gradcheck import GradcheckError, gradcheck
from torch.func import functional_call

from skae.nn import Autoencoder
from skae.training import foreign_randomness, generator, plain_torch, to_tensor

STEP = 1e-6
"""What differences are taken over, in float64."""

TOLERANCE = 1e-5
"""The least disagreement that counts, as a share of the slope."""

ROUNDING = 1e-8
"""A slope that rounding may make of a value, as a share of it; a hundred times what is usual."""

ATTEMPTS = 2
"""Directions that have to disagree: a step may cross a kink by chance, such as that of relu."""

INPUT = "the input"


def check_gradients(module, X, *, random_state=None):
    r"""Compare a module's gradients with differences of what it computes.

    Each parameter p, and the input, is moved along a random direction d of length 1, and

    .. math:: \nabla_p f \cdot d \quad \text{with} \quad
        \frac{f(p + \epsilon d) - f(p - \epsilon d)}{2 \epsilon},
        \qquad \epsilon = 10^{-6},

    are compared in float64, by :func:`torch.autograd.gradcheck`. f is a random combination of the
    module's outputs, or the loss of an `Autoencoder`, of each turn in each phase. A module that
    torch differentiates by itself passes. One with a ``backward`` of its own may not, and one that
    hides something from torch, by ``detach`` or ``.data``, does not; be it for a reason, as where
    "jump_relu" learns through a step.

    The module is copied; it is checked as in evaluation, with its dropout off.

    Parameters
    ----------
    module : torch.nn.Module
        What is meant to be an estimator's `encoder` or `decoder`, or an `Autoencoder`.
    X : array-like of shape (n_samples, ...)
        Rows for it: of data for an encoder or an `Autoencoder`, of codes for a decoder. A few are
        enough.
    random_state : int, RandomState instance or None, default=None
        Of the directions. None takes others each time, and not from numpy's global generator.

    Raises
    ------
    AssertionError
        If a gradient is wrong; it says which one, and by how much.
    TypeError
        If `module` is none.
    ValueError
        If X is not finite, or the module does not give as many rows, finite and in float64.

    Examples
    --------
    >>> import numpy as np
    >>> from torch import nn
    >>> from skae.inspection import check_gradients
    >>> encoder = nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, 2))
    >>> check_gradients(encoder, np.eye(5), random_state=0)

    >>> class Deaf(nn.Linear):
    ...     def forward(self, x):
    ...         return super().forward(x.detach())
    >>> check_gradients(Deaf(5, 2), np.eye(5), random_state=0)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    AssertionError: The gradient of the input is wrong: along a random direction it is 0, ...
    """
    X = check_array(X, dtype=np.float64, allow_nd=True)
    random_state = np.random.RandomState() if random_state is None else random_state
    seed = int(check_random_state(random_state).randint(2**31 - 1))
    rng, x = generator(seed), to_tensor(X)
    with plain_torch(grad=True):
        for objective, names in objectives(deepcopy(module), seed):
            tensors = dict(objective.named_parameters()) | {INPUT: x}
            for name in names:
                move = partial(along, objective, x, name, seed=seed)
                check(move, tensors[name], name.removeprefix("module."), rng)


@singledispatch
def objectives(module: Any, seed: int) -> Iterator[tuple[nn.Module, list[str]]]:
    """Modules that give one number, and the names of what each is to be differentiated by."""
    raise TypeError(
        f"module={module!r} is not a torch.nn.Module; pass what an estimator is given as encoder "
        "or decoder, or the module_.autoencoder of a fitted one."
    )


@objectives.register
def _(module: nn.Module, seed: int) -> Iterator[tuple[nn.Module, list[str]]]:
    objective = prepared(Combination(module, seed))
    yield objective, [*dict(objective.named_parameters()), INPUT]


@objectives.register
def _(module: Autoencoder, seed: int) -> Iterator[tuple[nn.Module, list[str]]]:
    for i, turns in enumerate(module.phases()):
        for j in range(len(turns)):
            objective = TurnLoss(deepcopy(module), i, j, seed)
            prepared(objective)
            moved = {id(p) for p in objective.turn.parameters}
            yield objective, [n for n, p in objective.named_parameters() if id(p) in moved]


def prepared(objective: nn.Module) -> nn.Module:
    """In float64, on the CPU, without dropout."""
    return objective.double().cpu().eval()


class Combination(nn.Module):
    """A random combination of all that a module gives for some rows."""

    def __init__(self, module: nn.Module, seed: int):
        super().__init__()
        self.module, self.seed = module, seed

    def forward(self, x: Tensor) -> Tensor:
        y = self.module(x)
        if not isinstance(y, Tensor) or y.shape[:1] != x.shape[:1] or y.dtype != x.dtype:
            what = f"a {y.dtype} of shape {tuple(y.shape)}" if isinstance(y, Tensor) else repr(y)
            raise ValueError(
                f"The module makes {what} of {len(x)} rows of float64; a coder gives a tensor with "
                "as many rows, in the dtype of its input."
            )
        if not y.isfinite().all():
            raise ValueError("The module gives NaN or infinity; pass rows that it is meant for.")
        return (y * normal(y.shape, generator(self.seed))).sum()


class TurnLoss(nn.Module):
    """What one of an autoencoder's turns minimises, with the same noise each time."""

    def __init__(self, module: Autoencoder, phase: int, index: int, seed: int):
        super().__init__()
        self.module, self.phase, self.index, self.seed = module, phase, index, seed

    @property
    def turn(self):
        return self.module.phases()[self.phase][self.index]

    def forward(self, x: Tensor) -> Tensor:
        return sum(self.turn.loss(x, generator(self.seed)).values(), x.new_zeros(()))


def normal(shape: Sequence[int], rng: Generator) -> Tensor:
    """Standard normal numbers in float64."""
    return torch.randn(shape, generator=rng, dtype=torch.float64, device="cpu")


def along(objective: nn.Module, x: Tensor, name: str, step: Tensor, *, seed: int) -> Tensor:
    """The objective when a parameter, or the input, has moved by a step, of shape ()."""
    state: dict[str, Tensor] = {n: p.detach() for n, p in objective.named_parameters()}
    moved = (state | {INPUT: x})[name] + step
    x, state = (moved, state) if name == INPUT else (x, state | {name: moved})
    with foreign_randomness(seed, x.device):
        # of a copy: buffers may change, and torch does not put back the weights of shared modules
        return functional_call(deepcopy(objective), state, (x,))


def check(move: Callable[[Tensor], Tensor], tensor: Tensor, name: str, rng: Generator) -> None:
    """Raise if the slopes of a function of a step from a tensor are not its derivatives."""
    for _ in range(ATTEMPTS):
        direction = normal(tensor.shape, rng)
        direction /= direction.norm()

        def value(t: Tensor, direction: Tensor = direction) -> Tensor:
            return move(t * direction)

        t = torch.zeros((), dtype=torch.float64, device="cpu", requires_grad=True)
        rounding = ROUNDING * float(value(t).detach().abs())
        try:
            gradcheck(value, (t,), eps=STEP, atol=rounding, rtol=TOLERANCE)
            return
        except GradcheckError as error:
            mismatch = error
    said = slope(value, t)
    true = float(value(t + STEP).detach() - value(t - STEP).detach()) / (2 * STEP)
    raise AssertionError(
        f"The gradient of {name} is wrong: along a random direction it is {said:.6g}, but the "
        f"function has a slope of {true:.6g}."
    ) from mismatch


def slope(value: Callable[[Tensor], Tensor], t: Tensor) -> float:
    """The derivative at t, as torch has it; 0 where it knows of no dependence."""
    y = value(t)
    return float(torch.autograd.grad(y, t)[0]) if y.requires_grad else 0.0
