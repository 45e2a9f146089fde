"""Rows of which some have a label."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

import torch
from torch import Generator, Tensor

from skae.training._rows import Batch, Rows


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelledRows(Rows):
    """Rows with the number of their class in one column more; -1 is unknown.

    Parameters
    ----------
    x, known, weights
        See `Rows`.
    labels : Tensor of shape (n_samples,), int64
        The numbers.
    """

    labels: Tensor

    def of(self, rows: Tensor) -> "LabelledRows":
        plain = super().of(rows)
        parts: Any = {"x": plain.x, "known": plain.known, "weights": plain.weights}
        return replace(self, **parts, labels=self.labels[rows])

    def batch(self, rows: slice) -> Batch:
        x, known = super().batch(rows)
        return beside(x, self.labels[rows]), known

    def batches(self, rng: Generator, batch_size: int) -> Iterator[Batch]:
        """Batches in which every other row has a label, which the one before it is shown without.

        Few rows have labels, and to meet one now and then teaches little. So each batch is one half
        of it from all rows, whose labels are left out, and the other half draws from those with
        labels; an epoch meets every other row. Batches are as many as those of `Rows`, and no
        shorter, and at most one row longer.
        """
        told = torch.nonzero(self.labels >= 0)[:, 0]
        if not len(told):
            yield from super().batches(rng, batch_size)
            return
        n = len(self)
        order = torch.randperm(n, generator=rng, device=self.device)
        if self.weights is not None:
            order = torch.multinomial(self.weights, n, replacement=True, generator=rng)
        share = torch.ones_like(told, dtype=torch.float64)
        share = share if self.weights is None else self.weights[told]
        for some in torch.arange(n, device=self.device).tensor_split(ceil(n / batch_size)):
            n_pairs = ceil(len(some) / 2)
            start = int(some[0]) // 2
            plain = order[start : start + n_pairs]
            drawn = told[torch.multinomial(share, n_pairs, replacement=True, generator=rng)]
            rows = torch.stack([plain, drawn], dim=1).flatten()
            labels = self.labels[rows]
            labels[::2] = -1
            known = None if self.known is None else self.known[rows].to(self.x.dtype)
            yield beside(self.x[rows], labels), known


def beside(x: Tensor, labels: Tensor) -> Tensor:
    """Rows with their labels in one column more."""
    return torch.cat([x, labels[:, None].to(x.dtype)], dim=1)
