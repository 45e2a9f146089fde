"""Held-out rows: how good the weights are, and the best ones seen."""

from collections.abc import Callable
from copy import deepcopy
from functools import partial
from math import inf, isfinite
from typing import Any

import torch
from torch import Tensor

from skae.training._batches import rows_at_once
from skae.training._device import generator
from skae.training._memory import Portion
from skae.training._rows import Rows


class HeldOut:
    """Rows that training never sees, and a score of a module on them.

    Parameters
    ----------
    rows : Rows
        On the module's device.
    mean : Tensor of shape (n_features,)
        The training mean: what a model that has learnt nothing says.
    seed : int, default=0
        Of the noise in the errors, which is the same after every epoch.
    """

    def __init__(self, rows: Rows, mean: Tensor, seed: int = 0):
        self.rows, self.mean, self.seed = rows, mean, seed
        self.portion = Portion(min(4096, rows_at_once(rows.x.shape[1])))

    @torch.no_grad()
    def errors(self, module: Any) -> Tensor:
        """Error of each row.

        Parameters
        ----------
        module : Autoencoder
            Left in evaluation mode.

        Returns
        -------
        errors : Tensor of shape (n,), float64
            In nats, on the CPU; times the weights of the rows, whose mean is 1.
        """
        module.eval()
        return self._of_rows(module.error)

    def central(self, module: Any, trim: float) -> "HeldOut":
        """The same without a share of the rows: those that a module has the largest errors on.

        Parameters
        ----------
        module : Autoencoder
            Left in evaluation mode.
        trim : float
            The share, in [0, 1).

        Returns
        -------
        held_out : HeldOut
            With at least one row.
        """
        n_kept = max(1, round((1 - trim) * len(self.rows)))
        best = self.errors(module).argsort(stable=True)[:n_kept].sort().values
        return HeldOut(self.rows.of(best), self.mean, self.seed)

    def baseline_errors(self, module: Any) -> Tensor | None:
        """Those of a model that always says the mean, or None where errors have no natural zero."""
        if module.is_likelihood:
            return None
        return self.reconstruction_errors(module, self.mean)

    @torch.no_grad()
    def reconstruction_errors(self, module: Any, mean: Tensor | None = None) -> Tensor:
        """Errors of the reconstructions alone, or of always saying `mean`, of shape (n,)."""
        return self._of_rows(partial(module.reconstruction_error, mean=mean))

    def _of_rows(self, error: Callable[..., Tensor]) -> Tensor:
        rng = generator(self.seed, self.rows.device)

        def of(rows: slice) -> Tensor:
            x, known = self.rows.batch(rows)
            return error(x, rng, known)

        parts = [part for _, part in self.portion.map(of, len(self.rows))]
        return self.weighted(torch.cat(parts))

    def weighted(self, errors: Tensor) -> Tensor:
        """Errors of the rows, as they come from a module, times the rows' weights."""
        errors, weights = errors.cpu().double(), self.rows.weights
        return errors if weights is None else errors * (weights / weights.mean()).cpu()


def explained(errors: Tensor, baseline_errors: Tensor | None) -> float:
    r"""Share of the baseline's error that is gone, or without a baseline the mean of minus errors.

    .. math:: 1 - \frac{\sum_i \ell(\hat x_i, x_i)}{\sum_i \ell(\bar x, x_i)}

    which is R2 for the squared error.

    Parameters
    ----------
    errors : Tensor of shape (n,)
        In nats.
    baseline_errors : Tensor of shape (n,) or None
        Non-negative.

    Returns
    -------
    score : float
        At most 1; 0 is as good as the mean. Where the baseline makes no error, 1 or minus infinity.
        Without a baseline, in nats a row.
    """
    if baseline_errors is None:
        return -float(errors.mean())
    error, worst = float(errors.sum()), float(baseline_errors.sum())
    if worst == 0:
        return 1.0 if error == 0 else -inf
    return 1 - error / worst


class Record:
    """What happened in a run of training, and the best weights seen.

    Parameters
    ----------
    module : nn.Module
        Whose weights are remembered.
    held_out : HeldOut or None
        What they are judged by. Without it the last ones that are finite count as the best.

    Attributes
    ----------
    losses : list of dict of str to float
        For each epoch, the mean of every named term, in nats per sample.
    steps : list of dict of str to float
        For each epoch, "gradient_norm", before long ones are shortened, the mean over its steps;
        and, of its last step, "learning_rate" and "update_ratio", the norm of the step over that of
        the weights.
    scores : list of float
        Held-out scores, the start's first; empty without held-out rows.
    errors : list of Tensor of shape (n_held_out,)
        The errors behind the scores, in nats.
    baseline_errors : Tensor of shape (n_held_out,) or None
        Those of saying nothing.
    best : int
        The number of epochs after which the best weights were reached.
    divergences : int
        How often the loss was not finite.
    ended : {"", "interrupted", "diverged"}
        What ended the run, if it did not end by itself.
    """

    _kept = ("losses", "steps", "scores", "errors", "best", "divergences", "ended", "_weights")

    def __init__(self, module: Any, held_out: HeldOut | None = None):
        self.module, self.held_out = module, held_out
        self.losses: list[dict[str, float]] = []
        self.steps: list[dict[str, float]] = []
        self.scores: list[float] = []
        self.errors: list[Tensor] = []
        self.best, self.divergences, self.ended = 0, 0, ""
        self._keep()
        self.baseline_errors: Tensor | None = None
        if held_out is not None:
            self.baseline_errors = held_out.baseline_errors(module)
            self._judge(held_out.errors(module))

    def _keep(self) -> None:
        self.best = len(self.losses)
        self.take_weights()

    def take_weights(self) -> None:
        """Remember the module's weights as they are."""
        self._weights = {name: w.clone() for name, w in self.module.state_dict().items()}

    def accepts(self, losses: dict[str, float]) -> bool:
        """Whether the losses of an epoch are finite, so that training can go on from there."""
        return all(isfinite(loss) for loss in losses.values())

    def add(self, losses: dict[str, float], steps: dict[str, float]) -> None:
        """Record an epoch, and keep its weights if they are the best so far.

        Parameters
        ----------
        losses : dict of str to float
            The epoch's mean of every named term.
        steps : dict of str to float
            How large its steps were.
        """
        errors = None if self.held_out is None else self.held_out.errors(self.module)
        if self.note(losses, steps, errors) and (errors is not None or self._finite()):
            self._keep()

    def note(self, losses: dict[str, float], steps: dict[str, float], errors: Any) -> bool:
        """Record an epoch and its held-out errors, None without; whether it is the best so far."""
        self.losses.append(losses)
        self.steps.append(steps)
        return errors is None or self._judge(errors) > max(self.scores[:-1])  # false of NaN

    def _finite(self) -> bool:
        return all(bool(torch.isfinite(w).all()) for w in self.module.parameters())

    def _judge(self, errors: Tensor) -> float:
        self.errors.append(errors)
        self.scores.append(explained(errors, self.baseline_errors))
        return self.scores[-1]

    def restore(self) -> None:
        """Put the best weights back."""
        self.module.load_state_dict(self._weights)

    def state_dict(self) -> dict[str, Any]:
        """All of it, as lists and dictionaries of numbers and tensors."""
        return {name: getattr(self, name) for name in self._kept}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take the place of the record that a state is from."""
        for name in self._kept:
            setattr(self, name, state[name])

    def best_module(self) -> Any:
        """A copy of the module with the best weights, for evaluation."""
        module = deepcopy(self.module)
        module.load_state_dict(self._weights)
        return module.eval()

    def solved(self, tol: float) -> bool:
        """Whether no improvement of `tol` is left to make, as far as errors have a natural zero."""
        return self.baseline_errors is not None and 1 - max(self.scores) < tol

    def stale(self, patience: int, tol: float) -> bool:
        """Whether the last `patience` epochs raised the best score by less than `tol`.

        Parameters
        ----------
        patience : int
            Epochs.
        tol : float
            In units of the score.

        Returns
        -------
        stale : bool
            False without held-out rows.
        """
        if len(self.scores) <= patience:
            return False
        return max(self.scores[-patience:]) < max(self.scores[:-patience]) + tol
