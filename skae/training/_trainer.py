"""The only training loop in skae. It knows phases and turns, not autoencoders."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil, cos, isfinite, pi
from typing import Any

import torch
from torch import Generator, Tensor, nn

from skae.nn import Turn
from skae.training._device import plain_torch, threads_for
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
        """Called after each epoch; True ends the phase."""
        return False


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
        x: Tensor,
        *,
        n_epochs: int,
        rng: Generator,
        held_out: HeldOut | None = None,
        stop: Callable[[Record], bool] = lambda record: False,
        observer: Observer | None = None,
    ) -> Record:
        """Train a module in place and leave it with the best weights seen, the start's included.

        Without held-out rows the last weights count as the best. Where the loss is not finite the
        best weights come back, the rate falls to a tenth and training goes on; the third time
        ends it. Ctrl-C ends it, too. Either way the weights are good.

        Parameters
        ----------
        module : nn.Module with ``phases()``, and ``error(x, rng)`` if there are held-out rows
            On x's device and in x's dtype. Its ``progress`` is set to the share of training done.
        x : Tensor of shape (n_samples, n_features)
            The training rows, all of them on the device.
        n_epochs : int
            Length of each phase's schedule, in passes over x.
        rng : torch.Generator
            Of everything random in training, on x's device.
        held_out : HeldOut or None
            What the weights are chosen by.
        stop : callable of the Record so far
            Asked after every epoch whether the phase ends here.
        observer : Observer or None
            Told of every epoch, and may end the phase, too.

        Returns
        -------
        record : Record
            Losses, scores, and how the run ended.
        """
        record, observer = Record(module, held_out), observer or Observer()
        try:
            with plain_torch(grad=True), threads_for(self._work(module)):
                for turns in module.phases():
                    if stop(record):
                        continue
                    for losses in self._epochs(module, x, turns, n_epochs, rng, record, observer):
                        record.add(losses)
                        if observer.epoch_ends(record) or stop(record):
                            break
        except KeyboardInterrupt:
            record.ended = "interrupted"
        record.restore()
        module.eval()
        return record

    def _epochs(self, module, x, turns, n_epochs, rng, record, observer) -> Iterator[dict]:
        """Train for one epoch at a time, and yield its losses, which are finite."""
        share, optimizers = 1.0, [self._optimizer(turn) for turn in turns]
        for epoch in range(n_epochs):
            observer.epoch_begins()
            module.train()
            losses = self._epoch(module, x, turns, optimizers, share, (epoch, n_epochs), rng)
            while not all(isfinite(loss) for loss in losses.values()):
                record.restore()
                record.divergences += 1
                if record.divergences == 3:
                    record.ended = "diverged"
                    return
                share, optimizers = share / 10, [self._optimizer(turn) for turn in turns]
                losses = self._epoch(module, x, turns, optimizers, share, (epoch, n_epochs), rng)
            yield losses

    def _epoch(self, module, x, turns, optimizers, share, position, rng) -> dict[str, float]:
        """One pass over the rows in random order; the only wait for the device is at its end."""
        epoch, n_epochs = position
        batches = x[torch.randperm(len(x), generator=rng, device=x.device)].tensor_split(
            ceil(len(x) / self.batch_size)
        )
        totals: dict[str, Tensor] = {}
        for i, batch in enumerate(batches):
            progress = module.progress = (epoch + i / len(batches)) / n_epochs
            rate = share * self.learning_rate_init * LEARNING_RATES[self.learning_rate](progress)
            for turn, optimizer in zip(turns, optimizers, strict=True):
                for name, term in self._step(batch, turn, optimizer, rate, rng).items():
                    totals[name] = totals.get(name, 0.0) + term * len(batch)
        return {name: float(total) / len(x) for name, total in totals.items()}

    def _step(self, batch, turn, optimizer, rate, rng) -> dict[str, Tensor]:
        """Move one player on one batch."""
        # No cache: inside an outer autocast it would outlive the step, and the weights' changes.
        half = self.precision == "bfloat16"
        with torch.autocast(batch.device.type, torch.bfloat16, half, cache_enabled=False):
            terms = turn.loss(batch, rng)
        optimizer.zero_grad()
        sum(terms.values()).backward(inputs=turn.parameters)
        nn.utils.clip_grad_norm_(turn.parameters, self.max_gradient_norm)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        return {name: term.detach() for name, term in terms.items()}

    def _work(self, module) -> int:
        """Multiplications in a forward pass of a batch."""
        return self.batch_size * sum(p.numel() for p in module.parameters())

    def _optimizer(self, turn: Turn) -> torch.optim.Optimizer:
        matrices = [p for p in turn.parameters if p.ndim > 1]
        others = [p for p in turn.parameters if p.ndim <= 1]
        groups = [
            {"params": matrices, "weight_decay": self.alpha},
            {"params": others, "weight_decay": 0.0},
        ]
        return SOLVERS[self.solver](
            [group for group in groups if group["params"]],
            lr=self.learning_rate_init,
            momentum=self.momentum,
        )
