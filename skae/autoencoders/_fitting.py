"""Which weights to keep: the start's, or those of as many epochs as are best on held-out rows."""

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch
from torch import Generator

from skae.autoencoders._fitted import (
    Fitted,
    best_length,
    gains,
    pooled_errors,
    reconstruction_errors,
)
from skae.autoencoders._missing import Whole
from skae.autoencoders._reading import MAX_CELLS
from skae.autoencoders._sharing import Sharing
from skae.autoencoders._solution import solution
from skae.autoencoders._table import expanded
from skae.nn import Autoencoder, ForeignNetwork, embed, ends_in_least_squares, widens
from skae.training import (
    Checkpoint,
    HeldOut,
    Observer,
    Record,
    Rows,
    Steps,
    Trainer,
    Training,
    generator,
    rows_to_tensor,
    to_tensor,
    trained,
)

FINE = 20
"""How often a row of average weight is there where weights have to be repetitions."""

AT_ONCE = 2**24
"""Cells, of all folds together, up to which these are trained at once."""

MIN_ROWS = 10
"""Fewer rows than this cannot tell a better autoencoder from a worse one: PCA it is."""


@dataclass(frozen=True, kw_only=True)
class Fitting:
    """Everything that a fit needs to know but the width of the code.

    Parameters
    ----------
    whole : Whole
        The training rows, in units.
    weights : ndarray of shape (n_samples,) or None
        Of the rows, with mean 1.
    start_rows : callable of an ndarray of int
        What the start is found for in place of all rows but these, or None.
    streamed : callable of (test, dtype, device)
        All there is to learn from but some rows, where X is only a sample of it, or None.
    architecture : callable of n_components
        All that a module depends on.
    build : callable of (architecture, rng)
        Makes a module in float64 on the CPU.
    linear_start : callable of (rows, n_components, module, random_state), or None
        Arrays for the module's ``start_at``; None keeps its random weights.
    unweighted : callable of (rows, weights)
        Rows without weights that the start takes in the place of some with them.
    trainer : Trainer
        How to train.
    n_epochs : int
        Length of the schedule.
    hold_out : float, int or list of pairs of ndarrays of int
        A share of the rows to hold out, a number of folds, or which rows to learn from and to hold
        out each time; 0 holds out none and keeps the last weights.
    refit : bool
        Whether to train on all rows once held-out ones have told for how long; folds always do.
    patience : int or None
        Epochs without an improvement of `tol` after which to end.
    tol : float
        The least improvement that counts.
    device : torch.device
        Where to train.
    random_state : RandomState
        Splits the rows.
    seed : int
        Draws the weights and the batches.
    search_observer : Observer
        Told of the epochs that only serve to find their number.
    checkpoint : Checkpoint
        Keeps the runs.
    sharing : Sharing or None, default=None
        What other fits to the same rows need, too.

    Notes
    -----
    A fit yields its trainings, and is sent their records, so that others can go on beside it.
    """

    whole: Whole
    weights: np.ndarray | None
    start_rows: Callable[[np.ndarray], Any]
    streamed: Callable[..., Any]
    architecture: Callable[[int], dict[str, Any]]
    build: Callable[[dict[str, Any], Generator], Autoencoder]
    linear_start: Callable[..., Iterable[np.ndarray]] | None
    unweighted: Callable[[np.ndarray, np.ndarray], np.ndarray]
    trainer: Trainer
    n_epochs: int
    hold_out: float | int | list[tuple[np.ndarray, np.ndarray]]
    refit: bool
    patience: int | None
    tol: float
    device: torch.device
    random_state: np.random.RandomState
    seed: int
    search_observer: Observer
    checkpoint: Checkpoint
    sharing: Sharing | None = None

    @property
    def X(self) -> np.ndarray:
        """The training rows, in units, without gaps."""
        return self.whole.X

    @cached_property
    def described(self) -> np.ndarray:
        """Rows that vary as the training rows do, without gaps or weights."""
        X = self.whole.drawn()
        if self.weights is None:
            return X
        n_rows = min(FINE * len(X), max(len(X), MAX_CELLS // X.shape[1]))
        return X[expanded(self.weights, n_rows)]

    def start(self, rows: np.ndarray, n_components: int) -> Autoencoder:
        """An untrained module: the best linear one for some rows, if that is where it starts."""
        module = self.build(self.architecture(n_components), generator(self.seed)).eval()
        if self.linear_start is not None:
            parts = self._linear_parts(self.linear_start, rows, n_components, module)
            module.start_at(*(to_tensor(part, dtype=torch.float64) for part in parts))
        return module

    def _linear_parts(self, linear_start, rows, n_components: int, module) -> Iterable[np.ndarray]:
        def found(width: int) -> Any:
            X: Any = self.start_rows(self._others(rows))
            if X is None:
                X = self._of(rows)
            if self.weights is not None:
                X = self.unweighted(X, self.weights[rows])
            return linear_start(X, width, module, self.random_state)

        shared = self.sharing
        if shared is None or not shared.nested:
            return found(n_components)
        axes = shared.once("start", rows, lambda: found(shared.widest))
        return axes.narrowed(n_components)

    def exact_judge(self, train: np.ndarray, test: np.ndarray) -> HeldOut:
        """Some rows to judge a module by that has learnt from others, in its own precision."""
        return self._judge(train, test, dtype=torch.float64, device=torch.device("cpu"))

    def _judge(self, train: np.ndarray, test: np.ndarray, **where: Any) -> HeldOut:
        weights = None if self.weights is None else self.weights[train]
        counts = np.bincount(train, weights, len(self.X))  # a product needs no copy of the rows
        mean = to_tensor(counts @ self.X / counts.sum(), **where)
        return HeldOut(self._rows(test, **where), mean, self.seed)

    def _of(self, rows: np.ndarray) -> np.ndarray:
        """Some of the rows, and without a copy if it is all of them."""
        return self.X if np.array_equal(rows, np.arange(len(self.X))) else self.X[rows]

    def _others(self, rows: np.ndarray) -> np.ndarray:
        """The rows that some are not."""
        return np.setdiff1d(np.arange(len(self.X)), rows)

    def _rows(self, rows: np.ndarray, **where: Any) -> Rows:
        """Some of the rows as tensors."""
        if self.sharing is None:
            return self._as_tensors(rows, **where)
        return self.sharing.once(str(where), rows, lambda: self._as_tensors(rows, **where))

    def _as_tensors(self, rows: np.ndarray, **where: Any) -> Rows:
        known, weights = (
            None if part is None else to_tensor(part[rows], device=where["device"])
            for part in (self.whole.known, self.weights)
        )
        return Rows(rows_to_tensor(self.X, rows, **where), known, weights)

    @property
    def learns(self) -> bool:
        """Whether there is anything to train, and enough to tell whether it helped."""
        return self.n_epochs > 0 and len(self.X) >= MIN_ROWS

    def fit(
        self,
        n_components: int,
        *,
        module: Autoencoder | None = None,
        observer: Observer | None = None,
    ) -> Steps[Fitted]:
        """Train a module of a given width, for as long as held-out rows gain by it.

        Parameters
        ----------
        n_components : int
            Width of the code.
        module : Autoencoder or None
            Where to go on from; None starts afresh.
        observer : Observer or None
            Told of each epoch of the run that makes the module, and may end it.

        Returns
        -------
        fitted : Fitted
            With the start's weights where no others were better.
        """
        rows = np.arange(len(self.X))
        scores: list[float] = []
        errors: Sequence[float] = ()
        length, instead, solved = None, None, False
        if self.learns and self.hold_out:
            found = yield from self.search(n_components, module, None if self.refits else observer)
            interrupted = found.record is not None and found.record.ended == "interrupted"
            if found.best > 0 and (interrupted or not self.refits):
                return found
            if found.best == 0:  # all rows make a better start than some
                return found._replace(module=module or self.start(rows, n_components))
            scores, errors, length = found.scores, found.errors, found.best
            solved = found.solved
            instead = found if self.holds_out_a_share else None
        module = module or self.start(rows, n_components)
        if not self.learns:
            return Fitted(module, None, [], 0)
        training = self._training(
            module, rows, rows[:0], n_epochs=length, observer=observer, instead=instead
        )
        (record,) = yield from trained([module], [training])
        if solved and record.ended != "interrupted":
            module = self._solution(module, rows)
        return Fitted(module, record, scores, record.best, errors=errors)

    def search(
        self,
        n_components: int,
        module: Autoencoder | None = None,
        observer: Observer | None = None,
    ) -> Steps[Fitted]:
        """Find the number of epochs that does best on held-out rows.

        Parameters
        ----------
        n_components : int
            Width of the code.
        module : Autoencoder or None
            Where to go on from; None starts afresh.
        observer : Observer or None
            Told of each epoch; None leaves that to `search_observer`.

        Returns
        -------
        found : Fitted
            With the module of the last split. If Ctrl-C ended the search among several splits, the
            number of epochs is 0.
        """
        records: list[Record] = []
        modules: list[Autoencoder] = []
        splits = self._splits(np.arange(len(self.X)), fold=module is None)
        watching = observer or self.search_observer
        at_once = max(1, AT_ONCE // self.X.size)
        for some in (splits[i : i + at_once] for i in range(0, len(splits), at_once)):
            new = [deepcopy(module) or self.start(train, n_components) for train, _ in some]
            each = zip(new, some, strict=True)
            records += yield from trained(
                new,
                [self._training(candidate, *split, observer=watching) for candidate, split in each],
            )
            modules += new
            if records[-1].ended == "interrupted":
                break
        best, scores, errors = best_length(records)
        interrupted = records[-1].ended == "interrupted"
        best = 0 if len(splits) > 1 and interrupted else best
        judges = [self.exact_judge(*split) for split in splits[: len(modules)]]
        solved = False
        if best > 0 and not interrupted and self._has_solution(modules[0]):
            each = zip(modules, splits, strict=True)
            others = [self._solution(module, train) for module, (train, _) in each]
            solved = gains(pooled_errors(judges, modules), pooled_errors(judges, others))
            modules = others if solved else modules
        pooled = map(reconstruction_errors, modules, judges)
        reconstruction = tuple(torch.cat(part) for part in zip(*pooled, strict=True))
        return Fitted(modules[-1], records[-1], scores, best, reconstruction, errors, solved)

    def _has_solution(self, module: Autoencoder) -> bool:
        return self.whole.known is None and ends_in_least_squares(module)

    def _solution(self, module: Autoencoder, rows: np.ndarray) -> Autoencoder:
        how = {"batch_size": self.trainer.batch_size, "seed": self.seed}
        return solution(module, self.X, rows, weights=self.weights, **how)

    @property
    def refits(self) -> bool:
        """Whether the search is followed by training on all rows."""
        return self.refit or not self.holds_out_a_share

    @property
    def holds_out_a_share(self) -> bool:
        """Whether rows are held out once, so that the search trains one module, and a good one."""
        return not isinstance(self.hold_out, list) and self.hold_out < 1

    def _splits(self, rows: np.ndarray, *, fold: bool) -> list[tuple[np.ndarray, np.ndarray]]:
        """Rows to learn from and rows to judge by, in one way or, if allowed, in several."""
        from sklearn.model_selection import train_test_split  # slow to import

        if isinstance(self.hold_out, list):
            return self.hold_out if fold else self.hold_out[:1]
        if self.hold_out >= 1 and fold:  # all of a size, as what is trained as one has to be
            n_rows = len(rows) // int(self.hold_out)
            order = self.random_state.permutation(rows)[: n_rows * int(self.hold_out)]
            return [(self._others(test), np.sort(test)) for test in order.reshape(-1, n_rows)]
        share = self.hold_out if self.hold_out < 1 else 1 / self.hold_out
        return [train_test_split(rows, test_size=share, random_state=self.random_state)]

    def _training(
        self,
        module: Autoencoder,
        train: np.ndarray,
        test: np.ndarray,
        *,
        n_epochs: int | None = None,
        observer: Observer | None = None,
        instead: Fitted | None = None,
    ) -> Training:
        """How to train a copy of a module on some rows, and judge it by others, if there are any.

        It stops after `n_epochs`, if that is a number, short of the end of the schedule. What has
        been found already, by training on fewer rows, might do `instead`.
        """
        where: dict[str, Any] = {"dtype": torch.float32, "device": self.device}
        working = self._widened(module).to(**where)
        held_out = self._judge(train, test, **where) if len(test) else None
        if held_out is not None and working.trim > 0:
            held_out = held_out.central(working, working.trim)

        def stop(record: Record) -> bool:
            if n_epochs is not None and len(record.losses) >= n_epochs:
                return True
            if record.scores and record.solved(self.tol):
                return True  # there is no improvement of `tol` left to make
            return self.patience is not None and record.stale(self.patience, self.tol)

        return Training(
            trainer=self.trainer,
            module=working,
            rows=self.streamed(self._others(train), **where) or self._rows(train, **where),
            n_epochs=self.n_epochs,
            seed=self.seed,
            device=self.device,
            foreign=any(isinstance(part, ForeignNetwork) for part in working.modules()),
            held_out=held_out,
            stop=stop,
            observer=observer,
            checkpoint=self.checkpoint,
            length=n_epochs,
            instead=instead,
        )

    def _widened(self, module: Autoencoder) -> Autoencoder:
        """A copy, with as many components as others have that it is to be trained with."""
        if self.sharing is None or not widens(module):
            return deepcopy(module)
        architecture = self.architecture(self.sharing.widest)
        build = partial(self.build, architecture, generator(self.seed))
        wide = deepcopy(self.sharing.once("wide", np.empty(0), build)).eval()
        embed(module, wide)
        return wide
