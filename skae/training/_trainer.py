"""The only training loop in skae. It knows phases and turns, not autoencoders."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from math import ceil, cos, pi
from typing import Any

import torch
from torch import Generator, Tensor

from skae.nn import Turn
from skae.training._checkpoint import Checkpoint
from skae.training._device import plain_torch, threads_for
from skae.training._memory import Portion
from skae.training._player import Player, norm_of
from skae.training._rows import Rows
from skae.training._run import Run
from skae.training._step import Step, fastest
from skae.training._stopping import HeldOut, Record


def _adam(parameters, *, momentum, **settings):
    return torch.optim.Adam(parameters, fused=True, **settings)


def _adamw(parameters, *, momentum, **settings):
    return torch.optim.AdamW(parameters, fused=True, **settings)


def _sgd(parameters, *, momentum, **settings):
    return torch.optim.SGD(parameters, fused=True, momentum=momentum, **settings)


def _rmsprop(parameters, *, momentum, **settings):
    return torch.optim.RMSprop(parameters, foreach=True, momentum=momentum, **settings)


SOLVERS = {"adamw": _adamw, "adam": _adam, "sgd": _sgd, "rmsprop": _rmsprop}


def _cosine(progress: float) -> float:
    return 0.5 * (1 + cos(pi * progress))


def _one_cycle(progress: float, warm_up: float = 0.1) -> float:
    """Up from a twenty-fifth in a tenth of the time, down to zero in the rest (Smith 2018)."""
    if progress < warm_up:
        return 1 - (1 - 1 / 25) * _cosine(progress / warm_up)
    return _cosine((progress - warm_up) / (1 - warm_up))


LEARNING_RATES = {
    "constant": lambda progress: 1.0,
    "one_cycle": _one_cycle,
    "cosine": _cosine,
    "step": lambda progress: 0.1 ** int(3 * progress),
    "exponential": lambda progress: 0.01**progress,
}
"""The rate as a share of its peak, when a share `progress` of all steps is done."""


class Observer:
    """Is told when epochs begin and end; this one does nothing."""

    def epoch_begins(self) -> None:
        """Called before each epoch."""

    def epoch_ends(self, record: Record) -> bool:
        """Called after each epoch; True ends training."""
        return False


def shares(n: int, n_parts: int) -> list[int]:
    """How many of n things each part gets, such as phases epochs: as many, or some one more."""
    ends = [i * n // n_parts for i in range(n_parts + 1)]
    return [stop - start for start, stop in pairwise(ends)]


@dataclass(frozen=True, kw_only=True)
class Trainer:
    """How to train: settings, no state.

    Parameters
    ----------
    batch_size : int
        Rows in a step, at most; the batches of an epoch differ by one row at most.
    solver : key of ``SOLVERS``
        The optimiser.
    learning_rate : key of ``LEARNING_RATES``
        The schedule.
    learning_rate_init : float
        The schedule's peak.
    alpha : float
        Decay of the weight matrices; offsets and gains are left alone.
    momentum : float
        Of "sgd" and "rmsprop".
    max_gradient_norm : float, default=1.0
        Longer gradients are shortened to this.
    precision : {"float32", "bfloat16"}, default="float32"
        "bfloat16" multiplies matrices in half precision, as AMX and tensor cores do fast.
    """

    batch_size: int
    solver: str
    learning_rate: str
    learning_rate_init: float
    alpha: float
    momentum: float
    max_gradient_norm: float = 1.0
    precision: str = "float32"

    def run(
        self,
        module: Any,
        rows: Rows,
        *,
        n_epochs: int,
        rng: Generator,
        foreign: Sequence[Generator] = (),
        held_out: HeldOut | None = None,
        stop: Callable[[Record], bool] = lambda record: False,
        observer: Observer | None = None,
        checkpoint: Checkpoint | None = None,
        record: Any = None,
    ) -> Any:
        """Train a module in place and leave it with the best weights seen, the start's included.

        Without held-out rows the last weights count as the best. Where the loss is not finite the
        best weights come back, the rate falls to a tenth and training goes on; the third time
        ends it. Ctrl-C ends it, too. Either way the weights are good. Where memory runs out, a
        step's gradient is added up over parts of its batch.

        Parameters
        ----------
        module : nn.Module with ``phases()``, and ``error(x, rng)`` if there are held-out rows
            On the rows' device and in their dtype. Its ``progress`` is set to the share of training
            done.
        rows : Rows
            What to learn from.
        n_epochs : int
            Passes over the rows; the phases share them evenly, the last ones first, each with a
            schedule of its own.
        rng : torch.Generator
            Of everything random in training, on the rows' device.
        foreign : sequence of torch.Generator
            What the module draws from besides.
        held_out : HeldOut or None
            What the weights are chosen by.
        stop : callable of the Record so far
            Asked before the first and after every epoch whether training ends here.
        observer : Observer or None
            Told of every epoch, and may end training, too.
        checkpoint : Checkpoint or None
            Shown the run before every epoch, and may take it to where it stood before.
        record : Record or None
            What is told of the run; None makes one for the module and the held-out rows.

        Returns
        -------
        record : Record
            Losses, scores, and how the run ended.
        """
        record, observer = record or Record(module, held_out), observer or Observer()
        checkpoint = checkpoint or Checkpoint()
        run = Run(module, record, [rng, *foreign], self._portion(module, len(rows)))
        checkpoint.resume(run)
        try:
            with plain_torch(grad=True), threads_for(self._work(module)):
                phases, enough = module.phases(), stop(record)
                while run.phase < len(phases) and not (record.ended or enough):
                    turns, length = phases[run.phase], shares(n_epochs, len(phases))[run.phase]
                    for epoch in self._epochs(run, rows, turns, length, observer, checkpoint):
                        record.add(*epoch)
                        enough = observer.epoch_ends(record) or stop(record)
                        if enough:
                            break
                    run.next_phase()
        except KeyboardInterrupt:
            record.ended = "interrupted"
        else:
            checkpoint.finish(run)
        record.restore()
        module.progress = 1.0  # a number again, wherever the module goes
        module.eval()
        return record

    def _epochs(
        self, run, rows, turns, n_epochs, observer, checkpoint
    ) -> Iterator[tuple[dict, dict]]:
        """Train for one epoch at a time, and yield its losses, which are finite, and its steps."""
        step = self._step(run, rows, turns, n_epochs)
        while run.epoch < n_epochs:
            checkpoint.save(run)
            observer.epoch_begins()
            run.module.train()
            losses, steps = self._epoch(run, rows, step, n_epochs)
            while not run.record.accepts(losses):
                run.record.restore()
                run.record.divergences += 1
                if run.record.divergences == 3:
                    run.record.ended = "diverged"
                    return
                run.share /= 10
                step = self._step(run, rows, turns, n_epochs)
                losses, steps = self._epoch(run, rows, step, n_epochs)
            run.epoch += 1
            yield losses, steps

    def _epoch(self, run, rows, step, n_epochs) -> tuple[dict[str, Any], dict[str, Any]]:
        """One pass over the rows in random order; the only wait for the device is at its end."""
        n_batches = self._n_batches(rows)
        totals: dict[str, Tensor] = {}
        weights = [weights for player in run.players for weights in player.weights]
        norms: Any = 0.0
        before: list[Tensor] = []
        for i, batch in enumerate(rows.batches(run.generators[0], self.batch_size)):
            if i == n_batches - 1:  # to look at every step would cost a share of each
                before = [w.clone() for w in weights]
            progress = (run.epoch + i / n_batches) / n_epochs
            schedule = LEARNING_RATES[self.learning_rate](progress)
            rate = run.share * self.learning_rate_init * schedule
            losses, norm = step(batch, rate, progress)
            norms = norms + norm
            for name, loss in losses.items():
                totals[name] = totals.get(name, 0.0) + loss * len(batch[0])
        change = [w - w0 for w, w0 in zip(weights, before, strict=True)]
        steps = {
            "learning_rate": rate,
            "gradient_norm": (norms / (n_batches * len(run.players))).tolist(),
            "update_ratio": (norm_of(change) / norm_of(before)).tolist(),
        }
        means = {name: (total.double() / len(rows)).tolist() for name, total in totals.items()}
        return means, steps

    def _n_batches(self, rows) -> int:
        return ceil(len(rows) / self.batch_size)

    def _portion(self, module, n_samples) -> Portion:
        """Rows that the gradient is computed of at once."""
        n_rows = min(self.batch_size, n_samples)
        if not module.couples_rows:
            return Portion(n_rows, consequence="Gradients are added up, so that steps stay as is.")
        return Portion(
            n_rows,
            least=3,  # so that no part has a single row, which has no variance
            consequence="The loss couples the rows of a batch, so that the weights will not be "
            "those that enough memory gives; a lower batch_size says so from the start.",
        )

    def _work(self, module) -> int:
        """Multiplications in a forward pass of a batch."""
        return self.batch_size * sum(p.numel() for p in module.parameters())

    def _step(self, run, rows, turns, n_epochs) -> Any:
        """What moves the players of a phase on a batch."""
        run.use(self._players(turns))
        step = Step(run=run, precision=self.precision, longest=self.max_gradient_norm)
        return fastest(step, rows.device, (n_epochs - run.epoch) * self._n_batches(rows))

    def _players(self, turns: Sequence[Turn]) -> list[Player]:
        owned = [parameter for turn in turns for parameter in turn.parameters]
        if len(set(owned)) < len(owned):
            raise ValueError("A parameter moves in two turns of a phase; give each its own.")
        solver = partial(SOLVERS[self.solver], lr=self.learning_rate_init, momentum=self.momentum)
        return [Player(turn, solver, self.alpha) for turn in turns]
