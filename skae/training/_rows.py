"""The rows that a module learns from, batch by batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from skae.training._memory import slices

AT_ONCE = 2**22
"""Cells that are gathered at once: enough that it is rarely done, few beside a large table's."""

Batch = tuple[Tensor, Tensor | None]
"""Rows of shape (n, n_features), and the weights of their cells, shaped alike; None is 1."""


class Block(NamedTuple):
    """Rows in random order that make some batches.

    Parameters
    ----------
    x : Tensor of shape (n, n_features), or (n, n_members, n_features)
        The rows.
    known : Tensor, shaped like x, or None
        Weights of their cells.
    lengths : list of int
        Of the batches, n in all.
    """

    x: Tensor
    known: Tensor | None
    lengths: list[int]

    def batches(self) -> Iterator[Batch]:
        """The batches, which are views."""
        x = self.x.split(self.lengths)
        if self.known is None:
            return ((batch, None) for batch in x)
        return zip(x, self.known.split(self.lengths), strict=True)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows in the device's memory.

    Parameters
    ----------
    x : Tensor of shape (n_samples, n_features)
        The rows, without gaps.
    known : Tensor of shape (n_samples, n_features), bool, or None
        Which cells count; the others are what gaps were filled with. None is all.
    weights : Tensor of shape (n_samples,), float64, or None
        Of the rows, positive. An epoch visits a row so often that all rows are visited n_samples
        times. None is once each.
    """

    x: Tensor
    known: Tensor | None = None
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.x.device

    def of(self, rows: Tensor) -> "Rows":
        """Some of them, by their numbers."""
        parts = (None if part is None else part[rows] for part in (self.known, self.weights))
        return Rows(self.x[rows], *parts)

    def batch(self, rows: slice) -> Batch:
        """Consecutive rows, in their order."""
        known = None if self.known is None else self.known[rows].to(self.x.dtype)
        return self.x[rows], known

    def batches(self, rng: Generator, batch_size: int) -> Iterator[Batch]:
        """All rows in random order, in batches that differ in length by one row at most."""
        for block in self.blocks(rng, batch_size):
            yield from block.batches()

    def blocks(self, rng: Generator, batch_size: int, at_once: int = AT_ONCE) -> Iterator[Block]:
        """The same, in blocks of as many batches as `at_once` cells are, but at least one."""
        order = torch.randperm(len(self), generator=rng, device=self.device)
        if self.weights is not None:
            order = visits(self.weights, rng)[order]
        lengths = [part.stop - part.start for part in slices(len(self), batch_size)]
        n_batches = max(1, at_once // (batch_size * self.x.shape[1]))
        parts = [lengths[i : i + n_batches] for i in range(0, len(lengths), n_batches)]
        for part, rows in zip(parts, order.split([sum(part) for part in parts]), strict=True):
            x = self.x.index_select(0, rows)  # narrow rows: in a fifth of the time of x[rows]
            known = None if self.known is None else self.known.index_select(0, rows).to(x.dtype)
            yield Block(x, known, part)


def visits(weights: Tensor, rng: Generator) -> Tensor:
    """As many rows as there are, each as often as its weight says, but for rounding at random.

    Parameters
    ----------
    weights : Tensor of shape (n_samples,), float64
        Positive.
    rng : torch.Generator
        Rounds: all rows together, by one number (systematic sampling).

    Returns
    -------
    rows : Tensor of shape (n_samples,), int64
        In ascending order.
    """
    n, device = len(weights), weights.device
    start = torch.rand((), generator=rng, dtype=torch.float64, device=device)
    position = (torch.arange(n, dtype=torch.float64, device=device) + start) / n
    share = weights.cumsum(0) / weights.sum()
    return torch.searchsorted(share, position).clamp(max=n - 1)
