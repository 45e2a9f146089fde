"""Fitting to rows that come a part at a time."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils import check_random_state

from skae.autoencoders._namespaces import on_host
from skae.autoencoders._rollback import rolled_back_on_failure
from skae.autoencoders._streaming import refuse_lazy
from skae.autoencoders._table import Table
from skae.training import Checkpoint, Steps, alone, plain_torch

REMEMBERED = 2**18
"""Cells of the rows that are remembered: 2 MiB of float64."""


class Reservoir(NamedTuple):
    """A random sample of all rows so far, whose size does not grow with them.

    Parameters
    ----------
    X : ndarray of shape (n, n_features)
        The sample.
    keys : ndarray of shape (n,)
        Random numbers, the largest of all rows'.

    References
    ----------
    .. [1] Efraimidis & Spirakis (2006). Weighted random sampling with a reservoir. Information
       Processing Letters 97.
    """

    X: np.ndarray
    keys: np.ndarray

    def joined(self, table: Table, random_state: np.random.RandomState) -> "Reservoir":
        """The sample after some rows more."""
        weights = np.ones(len(table.X)) if table.weights is None else table.weights
        keys = np.hstack([self.keys, random_state.uniform(size=len(weights)) ** (1 / weights)])
        X = np.vstack([self.X, table.X]).astype(table.X.dtype, copy=False)
        n_kept = max(1, REMEMBERED // X.shape[1])
        kept = np.sort(np.argsort(-keys, kind="stable")[:n_kept])
        return Reservoir(X[kept], keys[kept])


class PartialFitMixin:
    """`partial_fit`; the estimator brings all that `fit` is made of."""

    _checked: Callable[..., Any]
    _follow: Callable[[Any], None]
    _check_architecture: Callable[[], None]
    _check_corruption: Callable[[int], None]
    _check_bounds: Callable[[np.ndarray], None]
    _labels: Callable[..., Any]
    _units: Callable[..., Any]
    _fitting: Callable[..., Any]
    _choose_n_components: Callable[..., Steps[int]]
    _fitted_attributes: Callable[..., dict[str, Any]]
    _fitted_architecture: dict[str, Any]
    early_stopping: bool
    validation_fraction: float
    random_state: Any
    n_components_: int
    n_samples_seen_: int
    mean_: Any
    module_: Any

    @_fit_context(prefer_skip_nested_validation=True)
    def partial_fit(self, X, y=None, sample_weight=None):
        """Go on with the fit on some more rows: one pass over them, from where it stands.

        The first call starts as `fit` does, at PCA of its rows, which therefore should be as many
        as there are components, and better a few hundred. Part of each call's rows is held out, if
        `early_stopping`, and weights that make these worse are not taken. Means run on; the
        components are found anew each time from a sample of all rows so far, of at most 2 MiB,
        which is not stored with the estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Some rows; NaN is a missing cell.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows, as in `fit`.

        Returns
        -------
        self : object
            Fitted to these rows, too.

        Raises
        ------
        ValueError
            As in `fit`, and if X has a number of columns other than in the first call.
        """
        with rolled_back_on_failure(self), plain_torch(grad=False):
            self._learn(X, y, sample_weight)
        return self

    def _learn(self, X, y, sample_weight) -> None:
        refuse_lazy(X, source_too=True)
        self._check_architecture()
        first = not hasattr(self, "module_")
        rows = on_host(self._checked(X, reset=first))
        rows = rows.toarray() if hasattr(rows, "toarray") else rows
        self._check_corruption(rows.shape[1])
        labels = self._labels(y, rows, reset=first)
        table = Table.of(rows, on_host(sample_weight), None, labels=labels)
        self._check_bounds(table.limits)
        self._fit_part(table, first)
        self._follow(X)

    def _fit_part(self, table: Table, first: bool) -> None:
        n_before = 0 if first else self.n_samples_seen_
        seed = self.random_state
        if isinstance(seed, int | np.integer):  # another order for each part
            seed = np.random.RandomState([int(seed), n_before % 2**32])
        random_state = check_random_state(seed)
        previous = None if first else self.module_
        units = self._units(table, previous)
        fitting = self._fitting(table, units, random_state, Checkpoint())
        fitting = replace(
            fitting,
            n_epochs=min(1, fitting.n_epochs),
            hold_out=self.validation_fraction if self.early_stopping else 0,
            refit=False,
            patience=None,
        )
        if previous is None:
            module, n_components = None, alone(self._choose_n_components(fitting))
            architecture = fitting.architecture(n_components)
        else:
            module, n_components = deepcopy(previous.autoencoder).double(), self.n_components_
            architecture = self._fitted_architecture
        fitted = alone(fitting.fit(n_components, module=module))

        nothing = Reservoir(table.X[:0], np.empty(0))
        memory = getattr(self, "_reservoir", nothing) if n_before else nothing
        memory = memory.joined(table, random_state)
        remembered = Table.of(memory.X, None, None)
        reading = self._fitting(remembered, units, random_state, Checkpoint())
        attributes = self._fitted_attributes(remembered, reading, units, architecture, fitted)
        n_seen = n_before + table.shape[0]
        share = table.shape[0] / n_seen
        before = table.mean if first else on_host(self.mean_)
        mean = before + share * (table.mean - before)
        self.__dict__.update(attributes)
        self.mean_ = mean.astype(table.X.dtype)
        self.n_samples_seen_, self._reservoir = n_seen, memory
