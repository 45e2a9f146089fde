"""Training many modules as one: the same batches, and the same weights, as each alone."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from math import ceil, isfinite
from threading import Event
from typing import Any

import torch
from torch import Generator, Tensor

from skae.nn import Stack
from skae.training._device import generator
from skae.training._rows import AT_ONCE, Batch, Block, Rows
from skae.training._stopping import Record
from skae.training._trainer import Observer, shares
from skae.training._training import Result, Steps, Training

N_PARAMETERS = 2**19
"""Of a stack, at most: with their gradients and moments they are still in a core's reach."""


@dataclass(frozen=True, eq=False)
class StackedRows:
    """Each member's rows in its own random order, as when it is trained alone.

    Parameters
    ----------
    members : sequence of Rows
        Equally many each.
    seeds : sequence of int
        Of the orders.
    """

    members: Sequence[Rows]
    seeds: Sequence[int]

    def __post_init__(self):
        rngs = [generator(seed, self.device) for seed in self.seeds]
        object.__setattr__(self, "rngs", rngs)

    def __len__(self) -> int:
        return len(self.members[0])

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.members[0].device

    def batches(self, rng: Generator, batch_size: int) -> Iterator[Batch]:
        """Rows of shape (n, n_members, n_features)."""
        rngs: list[Generator] = self.rngs  # type: ignore[attr-defined]
        each = zip(self.members, rngs, strict=True)
        at_once = AT_ONCE // len(self.members)
        for blocks in zip(*(rows.blocks(r, batch_size, at_once) for rows, r in each), strict=True):
            x, known, (lengths, *_) = zip(*blocks, strict=True)
            together = None if known[0] is None else side_by_side(known)
            yield from Block(side_by_side(x), together, lengths).batches()


def side_by_side(rows: Sequence[Tensor]) -> Tensor:
    """Tensors of shape (n, n_features) as one of shape (n, n_members, n_features)."""
    return torch.stack(tuple(rows)).transpose(0, 1)


class StackRecord(Observer):
    """What happens to each member of a stack, its best weights included.

    Parameters
    ----------
    stack : Stack
        Of the trainings' modules.
    trainings : sequence of Training
        Its members'.
    cancelled : threading.Event
        Ends all of them when it is set.
    """

    ended, divergences = "", 0

    def __init__(self, stack: Stack, trainings: Sequence[Training], cancelled: Event):
        self.stack, self.trainings, self.cancelled = stack, trainings, cancelled
        self.records = [Record(training.module, training.held_out) for training in trainings]
        self.best = [p.detach().clone() for p in stack.stacked]
        self.rows: Batch | None = None
        if trainings[0].held_out is not None:
            batches = [t.held_out.rows.batch(slice(None)) for t in trainings]  # type: ignore[union-attr]
            x, known = zip(*batches, strict=True)
            self.rows = side_by_side(x), None if known[0] is None else side_by_side(known)
        self.lost: set[int] = set()
        self.live = [
            i for i, t in enumerate(trainings) if t.n_epochs > 0 and not t.stop(self.records[i])
        ]

    @property
    def over(self) -> bool:
        """Whether no member goes on."""
        return not self.live or self.cancelled.is_set()

    def epoch_begins(self) -> None:
        for i in self.live:
            observer = self.trainings[i].observer
            if observer is not None:
                observer.epoch_begins()

    def accepts(self, losses: dict[str, list[float]]) -> bool:
        """Always; members whose losses are not finite are left to be trained alone."""
        worst = [sum(terms) for terms in zip(*losses.values(), strict=True)]
        self.lost.update(i for i in self.live if not isfinite(worst[i]))
        self.live = [i for i in self.live if i not in self.lost]
        return True

    def add(self, losses: dict[str, list[float]], steps: dict[str, Any]) -> None:
        """Record an epoch of those that go on, and keep the weights that are their best so far."""
        errors, better = self._errors(), []
        for i in self.live:
            record, training = self.records[i], self.trainings[i]
            own = {
                name: value[i] if isinstance(value, list) else value
                for name, value in steps.items()
            }
            held_out = training.held_out
            of_rows = None if held_out is None else held_out.weighted(errors[i])
            if record.note({name: loss[i] for name, loss in losses.items()}, own, of_rows):
                record.best = len(record.losses)
                better.append(i)
        self._keep(better)
        self.live = [i for i in self.live if not self._stops(i)]

    def _errors(self) -> Any:
        if self.rows is None:
            return None
        self.stack.eval()
        x, known = self.rows
        rng = generator(self.trainings[0].seed, x.device)
        with torch.no_grad():
            return self.stack.error(x, rng, known)

    def _keep(self, members: list[int]) -> None:
        rows = torch.as_tensor(members, dtype=torch.int64, device=self.best[0].device)
        for best, now in zip(self.best, self.stack.stacked, strict=True):
            best.index_copy_(0, rows, now.detach().index_select(0, rows))

    def _stops(self, i: int) -> bool:
        observer, record = self.trainings[i].observer, self.records[i]
        return (observer is not None and observer.epoch_ends(record)) or self.trainings[i].stop(
            record
        )

    @torch.no_grad()
    def restore(self) -> None:
        """Put each member's best weights into its module."""
        for i, record in enumerate(self.records):
            if i not in self.lost:
                for own, best in zip(record.module.parameters(), self.best, strict=True):
                    own.copy_(best[i])
                record.take_weights()


def train_stack(trainings: Sequence[Training], cancelled: Event) -> list[Record]:
    """Do trainings of one kind as one.

    Parameters
    ----------
    trainings : sequence of Training
        Of equal `kind`, if there are two or more.
    cancelled : threading.Event
        Ends all of them when it is set.

    Returns
    -------
    records : list of Record
        One each, in their order.
    """
    first = trainings[0]
    if cancelled.is_set():
        return [interrupted(training) for training in trainings]
    if len(trainings) == 1:
        return [first.run()]
    stack = Stack([training.module for training in trainings])
    record = StackRecord(stack, trainings, cancelled)
    first.trainer.run(
        stack,
        StackedRows([t.rows for t in trainings], [t.seed for t in trainings]),  # type: ignore[arg-type]
        n_epochs=first.n_epochs,
        rng=generator(first.seed, first.device),
        stop=lambda record: record.over,  # type: ignore[attr-defined]
        observer=record,
        record=record,
    )
    for i in sorted(record.lost):
        record.records[i] = trainings[i].run()
    if record.ended == "interrupted":
        for own in record.records:
            own.ended = "interrupted"
    return record.records


def interrupted(training: Training) -> Record:
    """The record of one that Ctrl-C has left no time for."""
    record = Record(training.module, training.held_out)
    record.ended = "interrupted"
    return record


def stacks_of(trainings: Sequence[Training]) -> list[list[int]]:
    """Numbers of the trainings that are to be done as one, the longest first.

    Stacks of a kind are equally large, so that threads have as much to do. They do not depend on
    how many threads there are, and neither do results.

    Parameters
    ----------
    trainings : sequence of Training
        Of any kinds.

    Returns
    -------
    stacks : list of list of int
        Each number once.
    """
    kinds: dict[Any, list[int]] = {}
    for i, training in enumerate(trainings):
        kind = training.kind
        kinds.setdefault(i if kind is None else kind, []).append(i)
    stacks: list[tuple[int, list[int]]] = []
    for members in kinds.values():
        n_parameters = sum(p.numel() for p in trainings[members[0]].module.parameters())
        n_stacks = min(max(1, ceil(len(members) * n_parameters / N_PARAMETERS)), len(members))
        # a stack goes on as long as its longest member
        members = sorted(members, key=lambda i: -length_of(trainings[i]))
        left = iter(members)
        for size in shares(len(members), n_stacks):
            part = list(islice(left, size))
            stacks.append((length_of(trainings[part[0]]) * n_parameters * len(part), part))
    return [part for _, part in sorted(stacks, key=lambda stack: -stack[0])]


def length_of(training: Training) -> int:
    """Epochs that it takes, at most."""
    return training.n_epochs if training.length is None else training.length


def train_all(trainings: Sequence[Training], n_jobs: int = 1) -> list[Record]:
    """Do trainings of any kinds, those of a kind in stacks, some of these side by side.

    Parameters
    ----------
    trainings : sequence of Training
        In any order.
    n_jobs : int, default=1
        Threads, among which those that torch has are shared out.

    Returns
    -------
    records : list of Record
        One each, in their order; after Ctrl-C, all that it has come in the way of have ended
        "interrupted".
    """
    records: list[Any] = [None] * len(trainings)
    stacks, cancelled = stacks_of(trainings), Event()
    n_threads = max(1, torch.get_num_threads() // n_jobs)

    def train(members: list[int]) -> None:
        found = train_stack([trainings[i] for i in members], cancelled)
        for i, record in zip(members, found, strict=True):
            records[i] = record
            if record.ended == "interrupted":
                cancelled.set()

    if n_jobs == 1 or len(stacks) == 1:
        for members in stacks:
            train(members)
        return records
    initialize = partial(torch.set_num_threads, n_threads)  # of the calling thread alone
    with ThreadPoolExecutor(n_jobs, initializer=initialize) as threads:
        tasks = [threads.submit(train, members) for members in stacks]
        try:
            for task in tasks:
                task.result()
        except BaseException:
            cancelled.set()
            raise
    return records


def alone(steps: Steps[Result]) -> Result:
    """Go through a computation, and do its trainings where they come up.

    Parameters
    ----------
    steps : generator
        Yields trainings and is sent their records.

    Returns
    -------
    result : object
        What the computation returns.
    """
    records: Any = None
    while True:
        try:
            records = train_all(steps.send(records))  # trainings under a name would keep their rows
        except StopIteration as end:
            return end.value
