"""What happens on one batch: as it stands, or captured once on a GPU and replayed."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import torch
from torch import Generator, Tensor
from torch.torch_version import TorchVersion

from skae.training._memory import slices
from skae.training._rows import Batch
from skae.training._run import Run

Moved = tuple[dict[str, Tensor], Tensor]
"""Named losses of all players on a batch, and the sum of the norms of their gradients."""

PRECISIONS: dict[str, Callable] = {
    "float32": nullcontext,
    # No cache: inside an outer autocast it would outlive the step, and the weights' changes
    "bfloat16": partial(torch.autocast, dtype=torch.bfloat16, cache_enabled=False),
}
"""By name, what products are computed in on a kind of device."""


@dataclass(frozen=True, kw_only=True)
class Step:
    """Moves the players of a phase, one after the other, on a batch.

    Parameters
    ----------
    run : Run
        Whose players move.
    precision : key of ``PRECISIONS``
        What products are computed in.
    longest : float
        Longer gradients are shortened to this.
    """

    run: Run
    precision: str
    longest: float

    def __call__(self, batch: Batch, rate: float | Tensor, progress: float | Tensor) -> Moved:
        """Move them.

        Parameters
        ----------
        batch : tuple of two Tensors, or of one and None
            Rows, and the weights of their cells.
        rate : float or Tensor of shape ()
            Learning rate of this step.
        progress : float or Tensor of shape ()
            Share of training that is done before it.

        Returns
        -------
        moved : tuple of a dict and a Tensor
            Losses and norms; nothing waits for them to be there.
        """
        self.run.module.progress = progress
        losses: dict[str, Tensor] = {}
        norms: Any = 0.0
        for player in self.run.players:
            terms = self._gradient(batch, player)
            norms = norms + player.step(rate, self.longest)
            losses |= {name: losses.get(name, 0.0) + term for name, term in terms.items()}
        return losses, norms

    def _gradient(self, batch: Batch, player: Any) -> dict[str, Tensor]:
        """Leave the gradient of a player's loss in its parameters, in parts if memory runs out."""
        while True:
            player.forget()
            try:
                return self._added_up(batch, player)
            except RuntimeError as error:
                self.run.portion.halve(error)

    def _added_up(self, batch: Batch, player: Any) -> dict[str, Tensor]:
        """Add up the gradient over a batch, all of it at once if memory allows."""
        totals: dict[str, Tensor] = {}
        x, known = batch
        for some in slices(len(x), self.run.portion.n_rows):
            part = None if known is None else known[some]
            with PRECISIONS[self.precision](x.device.type):
                terms = player.loss(x[some], self.run.generators[0], part)
            weight = (some.stop - some.start) / len(x)
            learnt = [term for term in terms.values() if term.requires_grad]
            weights = [torch.full_like(term, weight) for term in learnt]
            torch.autograd.backward(learnt, weights, inputs=player.parameters)
            for name, term in terms.items():
                totals[name] = totals.get(name, 0.0) + weight * term.detach()
        return totals


CAPTURING = Lock()
"""A process captures one CUDA graph at a time."""


@contextmanager
def beside(device: torch.device) -> Iterator[None]:
    """Compute on another stream, as torch asks of what is to be captured next."""
    stream, current = torch.cuda.Stream(device), torch.cuda.current_stream(device)
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        yield
    current.wait_stream(stream)


def cuda_graph(
    call: Callable[[], Any], generators: Sequence[Generator], device: torch.device
) -> tuple[Callable[[], None], Any]:
    """Capture what a call asks a GPU to do, without doing it.

    Parameters
    ----------
    call : callable
        Its tensors stay where they are: numbers are put into them, and read from them.
    generators : sequence of torch.Generator
        What it draws from; they go on with each replay.
    device : torch.device
        The GPU.

    Returns
    -------
    replay : callable
        Has it done.
    result : object
        What the call returns, where each `replay` leaves it.
    """
    graph, current = torch.cuda.CUDAGraph(), torch.cuda.current_stream(device)
    if TorchVersion(torch.__version__) < "2.14":  # later ones see for themselves, and warn
        for rng in generators:
            graph.register_generator_state(rng)
    try:
        with (
            CAPTURING,
            torch.cuda.device(device),
            torch.cuda.graph(graph, capture_error_mode="thread_local"),
        ):
            result = call()
    finally:
        torch.cuda.set_stream(current)  # one that has failed leaves its own
    return graph.replay, result


CAPTURES: dict[str, tuple[Callable, Callable]] = {"cuda": (beside, cuda_graph)}
"""By kind of device, where steps are warmed up there, and what captures them."""

WORTH = 32
"""Steps from which on one is captured, which takes as long as several of them."""


class CapturedStep:
    """The same step, but that the host says once what is to be done, and not each time.

    A small step takes a GPU less time than it takes Python to ask for it. What changes from step to
    step is therefore in tensors: the batch, the rate, the progress.

    Parameters
    ----------
    step : Step
        Of a module that ``is_capturable``.
    device : torch.device
        Where it is.
    """

    def __init__(self, step: Step, device: torch.device):
        self.step, self.device = step, device
        self.beside, self.capture = CAPTURES[device.type]
        self.numbers = torch.zeros(2, device=device).unbind()  # rate and progress
        self.captured: dict[tuple, tuple | None] = {}
        self.begun = False
        for player in step.run.players:
            player.make_capturable()

    def __call__(self, batch: Batch, rate: float, progress: float) -> Moved:
        """As of `Step`; what it returns is there until it is called again."""
        for number, now in zip(self.numbers, (rate, progress), strict=True):
            number.fill_(now)
        if not self.begun:  # optimisers make their moments, and libraries their workspaces
            self.begun = True
            with self.beside(self.device):
                return self.step(batch, *self.numbers)
        kind = tuple(None if part is None else part.shape for part in batch)
        if kind not in self.captured:
            self.captured[kind] = self._captured(batch)
        captured = self.captured[kind]
        if captured is None:
            return self.step(batch, *self.numbers)
        (x, known), replay, moved = captured
        x.copy_(batch[0])
        if known is not None:
            known.copy_(batch[1])
        replay()
        return moved

    def _captured(self, batch: Batch) -> tuple | None:
        """Where to put a batch, what to call then, and where the results are; None if it fails."""
        x, known = batch
        own = x.clone(), None if known is None else known.clone()
        call = partial(self.step, own, *self.numbers)
        try:
            return own, *self.capture(call, self.step.run.generators, self.device)
        except Exception:  # nothing is done yet; an error of the loss itself comes again, plainly
            return None


def fastest(step: Step, device: torch.device, n_steps: int) -> Step | CapturedStep:
    """A step as it is done fastest.

    Parameters
    ----------
    step : Step
        As it stands.
    device : torch.device
        Where it is done.
    n_steps : int
        How often.

    Returns
    -------
    step : Step or CapturedStep
        With the same results.
    """
    worth = device.type in CAPTURES and n_steps >= WORTH and step.run.module.is_capturable
    return CapturedStep(step, device) if worth else step
