"""Runs of the trainer that have been asked for, and may wait for others like them."""

from collections.abc import Callable, Generator, Hashable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

from skae.nn import extract, likeness
from skae.training._checkpoint import Checkpoint
from skae.training._device import foreign_randomness, generator
from skae.training._rows import Rows
from skae.training._stopping import HeldOut, Record
from skae.training._trainer import Observer, Trainer

Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True, eq=False)
class Training:
    """All that a run of a trainer needs.

    Parameters
    ----------
    trainer, module, rows, n_epochs, held_out, stop, observer, checkpoint
        See `Trainer.run`.
    seed : int
        Of everything random.
    device : torch.device
        Where the module and the rows are.
    foreign : bool
        Whether the module draws from torch's global generators.
    length : int or None
        Epochs after which it stops; None if that is not known.
    instead : object or None
        What has been found without it, and might do.
    """

    trainer: Trainer
    module: Any
    rows: Rows
    n_epochs: int
    seed: int
    device: torch.device
    foreign: bool
    held_out: HeldOut | None
    stop: Callable[[Record], bool]
    observer: Observer | None
    checkpoint: Checkpoint
    length: int | None = None
    instead: Any = None

    def run(self) -> Record:
        """Train."""
        with foreign_randomness(self.seed, self.device, needed=self.foreign) as generators:
            return self.trainer.run(
                self.module,
                self.rows,
                n_epochs=self.n_epochs,
                rng=generator(self.seed, self.device),
                foreign=generators,
                held_out=self.held_out,
                stop=self.stop,
                observer=self.observer,
                checkpoint=self.checkpoint,
            )

    @property
    def kind(self) -> Hashable | None:
        """What trainings have in common that can be one; None if this one has to be alone."""
        alike = likeness(self.module)
        if alike is None or self.foreign or type(self.rows) is not Rows:
            return None
        if type(self.checkpoint) is not Checkpoint:  # a file keeps one run after the other
            return None
        n_held_out = None if self.held_out is None else len(self.held_out.rows)
        gaps = self.rows.known is None, self.held_out is None or self.held_out.rows.known is None
        return alike, self.trainer, self.n_epochs, len(self.rows), n_held_out, gaps


Steps = Generator[list[Training], list[Record], Result]
"""A computation that yields trainings it needs at once, and is sent the record of each."""


def trained(modules: Sequence[Any], trainings: list[Training]) -> Steps[list[Record]]:
    """Have modules trained, and leave the best weights in them.

    Parameters
    ----------
    modules : sequence of Autoencoder
        Each is as it was if nothing better was found.
    trainings : list of Training
        Of copies of them.

    Returns
    -------
    records : list of Record
        Of the runs.
    """
    records = yield trainings
    for module, training, record in zip(modules, trainings, records, strict=True):
        if record.best > 0:  # the start stays as exact as it was
            extract(training.module, module)
    return records
