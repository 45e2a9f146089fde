"""Fits of many autoencoders that go on side by side, so that those alike are trained as one."""

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from itertools import islice
from time import perf_counter
from traceback import format_exc
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.model_selection._validation import _score
from sklearn.pipeline import Pipeline
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import _check_method_params

from skae.autoencoders._model import Model
from skae.autoencoders._sharing import Sharing
from skae.training import Checkpoint, Steps, Training, plain_torch, train_all


@dataclass(eq=False, kw_only=True)
class Trial:
    """One candidate on one split, as far as its fit has come.

    Parameters
    ----------
    candidate, split : int
        Their numbers.
    test : tuple
        Rows to judge by, and their targets or None.
    score_params : dict
        Passed to the scorer.
    error_score : float or "raise"
        The score of a failure.

    Attributes
    ----------
    model : object
        The estimator that is scored: the autoencoder, or a pipeline that ends with it.
    autoencoder : BaseAutoencoder
        What is fitted.
    waiting : list of Training
        What the fit needs next; empty if it is over.
    """

    candidate: int
    split: int
    test: tuple
    score_params: dict
    error_score: Any
    model: Any = None
    autoencoder: Any = None
    steps: Steps[None] | None = None
    waiting: Sequence[Training] = ()
    fit_error: str | None = None
    seconds: float = 0.0
    score_seconds: float = 0.0

    def go_on(self, records: Any = None) -> None:
        """Fit as far as the next trainings, given the records of the last."""
        begun = perf_counter()
        self.waiting = ()
        try:
            assert self.steps is not None
            self.waiting = self.steps.send(records)
        except StopIteration:
            self.steps = None
        except Exception:
            self.fail()
        self.seconds += perf_counter() - begun

    def fail(self) -> None:
        """Called where an exception is handled: that of the fit."""
        if self.error_score == "raise":
            raise
        self.fit_error, self.steps = format_exc(), None

    @property
    def refits(self) -> bool:
        """Whether all that is left to do is to train on all rows."""
        return any(training.instead is not None for training in self.waiting)

    def settle(self) -> None:
        """Have the attributes that the fit leaves if it does not train on all rows."""
        (last,) = self.waiting
        vars(self.autoencoder).update(last.observer.attributes(last.instead))  # type: ignore[union-attr]
        self.autoencoder._follow(self.test[0])

    def drop(self) -> None:
        """Leave it at that."""
        self.waiting, self.steps = (), None

    def score(self, scorer: Callable) -> float:
        """The test rows' score, or that of a failure."""
        if self.fit_error is not None:
            return self.error_score
        begun = perf_counter()
        X, y = self.test
        score = _score(self.model, X, y, scorer, self.score_params, self.error_score)
        self.score_seconds = perf_counter() - begun
        return score


def trials_of(
    estimator: Any,
    candidates: Sequence[dict[str, Any]],
    splits: Sequence[tuple[np.ndarray, np.ndarray]],
    X: Any,
    y: Any,
    *,
    width: str,
    fit_params: dict,
    score_params: dict,
    error_score: Any,
) -> list[Trial]:
    """Fits that stand at their first training, of each candidate on each split.

    Parameters
    ----------
    estimator : object
        An autoencoder, or a pipeline that ends with one.
    candidates : sequence of dict
        Parameters.
    splits : sequence of pairs of ndarrays of int
        Rows to learn from, and rows to judge by.
    X, y : array-like of n_samples rows
        All rows, and targets or None.
    width : str
        The parameter that is the width of the code.
    fit_params, score_params : dict
        Passed on, those with an entry a row for the rows in question.
    error_score : float or "raise"
        The score of a fit that fails.

    Returns
    -------
    trials : list of Trial
        Candidate by candidate, and split by split.
    """
    groups: dict[str, list[int]] = {}
    for i, parameters in enumerate(candidates):
        others = {name: value for name, value in parameters.items() if name != width}
        groups.setdefault(repr(sorted(others.items())), []).append(i)
    trials = []
    for number, (train, test) in enumerate(splits):
        rows, targets = _safe_split(estimator, X, y, train)
        judges = _safe_split(estimator, X, y, test, train)
        told = _check_method_params(X, fit_params, indices=train)
        asked = _check_method_params(X, score_params, indices=test)
        for members in groups.values():
            some = [
                Trial(
                    candidate=i,
                    split=number,
                    test=judges,
                    score_params=asked,
                    error_score=error_score,
                )
                for i in members
            ]
            try:
                begin(some, estimator, [candidates[i] for i in members], rows, targets, told, width)
            except Exception:
                for trial in some:
                    trial.fail()
            trials += some
    return sorted(trials, key=lambda trial: (trial.candidate, trial.split))


def begin(
    trials: Sequence[Trial],
    estimator: Any,
    candidates: Sequence[dict[str, Any]],
    X: Any,
    y: Any,
    fit_params: dict,
    width: str,
) -> None:
    """Prepare fits to the same rows that differ in the width of the code alone."""
    begun = perf_counter()
    models = [clone(estimator).set_params(**clone(c, safe=False)) for c in candidates]
    head, first = parted(models[0])
    if head is not None:
        X = head.fit_transform(X, y)
    before = set(vars(first))
    first._validate_params()
    table = first._table(X, fit_params.get("sample_weight"), None)
    checked = {name: value for name, value in vars(first).items() if name not in before}
    with plain_torch(grad=False):
        units, fitting = first._prepared(table, Checkpoint())
        nested = type(first)._linear_start is Model._linear_start
        sharing = Sharing(widest=max(c[width] for c in candidates), nested=nested)
        for trial, model in zip(trials, models, strict=True):
            trial.autoencoder, trial.model = parted(model)[1], model
            if head is not None:
                model.steps = [*head.steps, model.steps[-1]]
            vars(trial.autoencoder).update(checked)
            own = replace(fitting, sharing=sharing, random_state=deepcopy(fitting.random_state))
            trial.steps = trial.autoencoder._fit(X, table, units, own)
            trial.seconds = (perf_counter() - begun) / len(trials)
        for trial in trials:
            trial.go_on()


def parted(model: Any) -> tuple[Any, Any]:
    """What comes before the autoencoder, or None, and the autoencoder."""
    if not isinstance(model, Pipeline):
        return None, model
    return (model[:-1] if len(model) > 1 else None), model[-1]


def go_through(trials: Iterable[Trial], n_jobs: int, *, until: Callable[[Trial], bool]) -> None:
    """Train all of some trials, round by round.

    Parameters
    ----------
    trials : iterable of Trial
        Any.
    n_jobs : int
        Threads.
    until : callable of a Trial
        Whether it is to wait.
    """
    trials = list(trials)
    with plain_torch(grad=False):
        while going := [trial for trial in trials if trial.waiting and not until(trial)]:
            begun = perf_counter()
            records = train_all([training for trial in going for training in trial.waiting], n_jobs)
            if any(record.ended == "interrupted" for record in records):
                raise KeyboardInterrupt
            share, left = (perf_counter() - begun) / len(going), iter(records)
            for trial in going:
                trial.seconds += share
                trial.go_on(list(islice(left, len(trial.waiting))))
