"""What training leaves, and how long it should be by what held-out rows say."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

import torch
from torch import Tensor

from skae.nn import Autoencoder
from skae.training import HeldOut, Record, explained


class Fitted(NamedTuple):
    """A trained module and how it came about.

    Parameters
    ----------
    module : Autoencoder
        In float64, on the CPU.
    record : Record or None
        Of the run that made it; None if there was none.
    scores : list of float
        Held-out scores after each epoch, the start's first; of all folds together where there
        are folds.
    best : int
        The epochs that the module has been trained for.
    reconstruction : tuple of two Tensors
        Errors of the best reconstructions of held-out rows, and of always saying the mean.
    errors : list of float
        Mean held-out errors behind the scores, in nats per row.
    solved : bool
        Whether the decoder's last maps are those of least squares, as held-out rows gain by it.
    """

    module: Autoencoder
    record: Record | None
    scores: list[float]
    best: int
    reconstruction: tuple[Tensor, ...] = ()
    errors: Sequence[float] = ()
    solved: bool = False

    @classmethod
    def so_far(cls, module: Autoencoder, record: Record) -> "Fitted":
        """What a run would leave if it ended now, with the best of its weights in `module`."""
        errors = [float(rows.mean()) for rows in record.errors]
        return cls(module, record, record.scores, record.best, errors=errors)


def best_length(records: list[Record]) -> tuple[int, list[float], list[float]]:
    """The number of epochs that did best over some folds.

    Parameters
    ----------
    records : list of Record
        One a fold.

    Returns
    -------
    best : int
        0, the start, unless the gain over it is more than its standard error over the rows.
    scores : list of float
        Scores of all folds' rows together, after each number of epochs.
    errors : list of float
        Their mean errors.
    """
    length = min(len(record.errors) for record in records)
    errors = torch.cat([torch.stack(record.errors[:length]) for record in records], dim=1)
    worst = [r.baseline_errors for r in records if r.baseline_errors is not None]
    baseline = torch.cat(worst) if worst else None
    scores = [explained(row, baseline) for row in errors]
    best = max(range(length), key=scores.__getitem__)
    if not gains(errors[0], errors[best]):
        best = 0
    return best, scores, errors.mean(dim=1).tolist()


def gains(before: Tensor, after: Tensor) -> bool:
    """Whether errors of rows fall by more than the standard error of their mean difference."""
    gain = before - after
    return bool(gain.mean() > gain.std(correction=0) / sqrt(len(gain)))


def pooled_errors(judges: Sequence[HeldOut], modules: Sequence[Autoencoder]) -> Tensor:
    """Errors of all judges' rows, each of another module, one after the other."""
    each = zip(judges, modules, strict=True)
    return torch.cat([judge.errors(module) for judge, module in each])


def reconstruction_errors(module: Autoencoder, judge: HeldOut) -> tuple[Tensor, Tensor]:
    """Errors of a module's reconstructions, and of always saying the mean."""
    return judge.reconstruction_errors(module), judge.reconstruction_errors(module, judge.mean)
