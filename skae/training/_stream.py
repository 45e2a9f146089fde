"""Rows that come in blocks, as a module learns from them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import torch
from torch import Generator, Tensor

from skae.training._batches import to_numpy, to_tensor
from skae.training._rows import Batch, visits

BUFFER = 2**23
"""Cells that are shuffled together: 32 MiB of float32."""


@dataclass(frozen=True, eq=False, kw_only=True)
class StreamedRows:
    """Rows that are read anew in each epoch: blocks in random order, and rows within a buffer.

    Parameters
    ----------
    blocks : callable of a sequence of int
        Gives the number of the first row, and the rows, of each block.
    n_blocks, n_samples, n_features : int
        How many there are.
    without : ndarray of int
        Rows that are left out, in ascending order.
    weights : ndarray of shape (n_samples,), float64, or None
        Of the rows; as in `Rows`.
    prepare : callable of an ndarray of rows
        Gives them as the module sees them, and which cells are known, or None for all.
    dtype : torch.dtype
        Of the batches.
    device : torch.device
        Where batches go.
    """

    blocks: Callable[[Sequence[int]], Iterator[tuple[int, np.ndarray]]]
    n_blocks: int
    n_samples: int
    n_features: int
    without: np.ndarray
    weights: np.ndarray | None
    prepare: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray | None]]
    dtype: torch.dtype
    device: torch.device

    def __len__(self) -> int:
        return self.n_samples - len(self.without)

    def batches(self, rng: Generator, batch_size: int) -> Iterator[Batch]:
        """All rows, in batches that are equally long but for the last."""
        size = ceil(len(self) / ceil(len(self) / batch_size))
        rest: list[Batch] = []
        for x, known in self._buffers(rng, at_least=size):
            x, known = joined([*rest, (x, known)])
            n_full = len(x) // size * size
            for i in range(0, n_full, size):
                yield x[i : i + size], None if known is None else known[i : i + size]
            rest = [(x[n_full:], None if known is None else known[n_full:])]
        yield from (batch for batch in rest if len(batch[0]))

    def _buffers(self, rng: Generator, *, at_least: int) -> Iterator[Batch]:
        """As many rows as a buffer takes, in random order."""
        counts, n_rows = self._counts(rng), max(at_least, BUFFER // self.n_features)
        order = torch.randperm(self.n_blocks, generator=rng, device=self.device).tolist()
        buffer: list[Batch] = []
        for start, rows in self.blocks(order):
            numbers = np.arange(start, start + len(rows))
            if counts is not None:
                numbers = np.repeat(numbers, counts[start : start + len(rows)])
            elif len(self.without):
                first, last = np.searchsorted(self.without, [start, start + len(rows)])
                numbers = np.setdiff1d(numbers, self.without[first:last], assume_unique=True)
            buffer.append(self._tensors(rows[numbers - start]))
            if sum(len(x) for x, _ in buffer) >= n_rows:
                yield shuffled(joined(buffer), rng)
                buffer = []
        if buffer:
            yield shuffled(joined(buffer), rng)

    def _counts(self, rng: Generator) -> np.ndarray | None:
        """How often each row is there in an epoch; None is once each."""
        if self.weights is None:
            return None
        counts = np.zeros(self.n_samples, np.int64)
        there = np.setdiff1d(np.arange(self.n_samples), self.without, assume_unique=True)
        weights = to_tensor(self.weights[there], device=self.device)
        seen = np.bincount(to_numpy(visits(weights, rng)), minlength=len(there))
        counts[there] = seen
        return counts

    def _tensors(self, rows: np.ndarray) -> Batch:
        x, known = self.prepare(rows)
        return self._sent(x), None if known is None else self._sent(known)

    def _sent(self, array: np.ndarray) -> Tensor:
        tensor = to_tensor(array, dtype=self.dtype)
        if self.device.type == "cuda":  # copies from pinned memory go on beside the steps
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)


def joined(batches: list[Batch]) -> Batch:
    """Batches as one."""
    if len(batches) == 1:
        return batches[0]
    x = torch.cat([x for x, _ in batches])
    if all(known is None for _, known in batches):
        return x, None
    return x, torch.cat([torch.ones_like(x) if known is None else known for x, known in batches])


def shuffled(batch: Batch, rng: Generator) -> Batch:
    """Its rows in random order."""
    x, known = batch
    order = torch.randperm(len(x), generator=rng, device=x.device)
    return x[order], None if known is None else known[order]
