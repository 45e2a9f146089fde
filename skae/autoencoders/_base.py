"""Everything scikit-learn asks of an estimator, once for the whole family."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from numbers import Integral
from typing import Any

import numpy as np
import torch
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.callback import CallbackSupportMixin
from sklearn.utils import check_array, check_random_state
from sklearn.utils.validation import check_is_fitted

from skae.autoencoders._corruption import noise_settings
from skae.autoencoders._fitted import Fitted
from skae.autoencoders._fitting import Fitting
from skae.autoencoders._history import history_of
from skae.autoencoders._identity import checkpoint_of
from skae.autoencoders._keeping import Storable
from skae.autoencoders._missing import Whole
from skae.autoencoders._model import Model
from skae.autoencoders._namespaces import (
    FollowsInput,
    check_same_namespace,
    floats_of,
    has_gaps,
    like,
    numpy_dtype,
    on_host,
    readable,
)
from skae.autoencoders._observing import FitObserver, Printer
from skae.autoencoders._partial import PartialFitMixin
from skae.autoencoders._reading import Reading
from skae.autoencoders._rollback import rolled_back_on_failure
from skae.autoencoders._scores import ScoresMixin
from skae.autoencoders._start import Units
from skae.autoencoders._streaming import refuse_lazy, source_of
from skae.autoencoders._table import Table, no_rows
from skae.autoencoders._warnings import warn_of_idleness, warn_of_run
from skae.autoencoders._width import narrowest
from skae.nn import RECONSTRUCTIONS, Canonical, without_silent_networks
from skae.training import (
    Checkpoint,
    Steps,
    alone,
    map_rows,
    plain_torch,
    resolve_device,
    to_numpy,
    to_tensor,
)


@dataclass(eq=False, repr=False, kw_only=True)
class BaseAutoencoder(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    FollowsInput,
    ScoresMixin,
    PartialFitMixin,
    Storable,
    Model,
    BaseEstimator,
):
    """The contract; what a variant may have of its own stands in `Model`."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.allow_nan = tags.input_tags.sparse = tags.array_api_support = True
        return tags

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    # Fitting

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Fit the autoencoder.

        Parameters
        ----------
        X : {array-like, sparse matrix, Source} of shape (n_samples, n_features)
            Training rows; NaN is a missing cell. Sources (see `skae.data`), arrays of more than
            67 million cells and sparse matrices of more than four are read in blocks, and never
            copied.
        y : None
            Ignored.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows, not negative. A weight of 2 is the row twice, one of 0 no row.

        Returns
        -------
        self : object
            Fitted.

        Raises
        ------
        ValueError
            If X holds infinity, complex numbers or text, is empty or not two-dimensional, has a
            column without any value or values that `loss` does not allow, or is too small for
            `n_components`; if weights are negative or all zero; if `device` is not there; if a
            parameter is out of its range; if `checkpoint` holds another fit.
        RuntimeError
            If another fit is writing `checkpoint` just now.
        """
        with rolled_back_on_failure(self), plain_torch(grad=False):
            table = self._table(X, sample_weight, y)
            with checkpoint_of(self, table) as checkpoint:
                alone(self._fit(X, table, *self._prepared(table, checkpoint)))
        return self

    def _table(self, X, sample_weight, y) -> Table:
        """What to learn from, checked."""
        self._check_architecture()
        source = source_of(X, self.cv)
        if source is None:
            rows = on_host(self._checked(X, reset=True))
            labels = self._labels(y, rows, reset=not self.warm_start)
            table = Table.of(rows, on_host(sample_weight), self.cv, on_host(y), labels)
        else:
            table = self._streamed(source, sample_weight)
        self._check_corruption(table.shape[1])
        self._check_bounds(table.limits)
        return table

    def _prepared(self, table: Table, checkpoint: Checkpoint) -> tuple[Units, Fitting]:
        random_state = checkpoint.random_state(check_random_state(self.random_state))
        units = self._units(table, self._previous(table.X.shape[1]))
        return units, self._fitting(table, units, random_state, checkpoint)

    def _fit(self, X: Any, table: Table, units: Units, fitting: Fitting) -> Steps[None]:
        """Find the fitted attributes, and set them at the end; yields the trainings it takes."""
        previous = self._previous(table.X.shape[1])
        if previous is None:
            module, n_components = None, (yield from self._choose_n_components(fitting))
            architecture = fitting.architecture(n_components)
        else:
            module, n_components = deepcopy(previous.autoencoder).double(), self.n_components_
            architecture = self._fitted_architecture

        attributes = partial(self._fitted_attributes, table, fitting, units, architecture)
        observer = FitObserver(self, self._as_given(table.X), fitting.n_epochs, attributes)
        fitted = yield from fitting.fit(n_components, module=module, observer=observer)
        self.__dict__.update(attributes(fitted))
        observer.fit_ends(fitted)
        if fitted.record is not None:
            warn_of_run(fitted.record, fitting.trainer.learning_rate_init)
        warn_of_idleness(self, fitting.X)
        self.n_samples_seen_ = table.shape[0]
        self.__dict__.pop("_reservoir", None)
        self._follow(X)

    def _units(self, table: Table, previous: Canonical | None) -> Units:
        if previous is not None:
            return Units(to_numpy(previous.location.double()), float(previous.scale))
        if RECONSTRUCTIONS[self.loss].bounds is not None:
            return Units(np.zeros(table.shape[1]), 1.0)
        units = Units.of(table.X, table.weights)
        # to shift a sparse array would make all its zeros numbers
        return units._replace(location=0 * units.location) if table.is_sparse else units

    def _fitting(self, table: Table, units: Units, random_state, checkpoint) -> Fitting:
        """Everything that does not depend on the width of the code."""
        whole = Whole.of(units.standardized(table.X), table.weights, within=table.limits_in(units))
        shape = table.shape[0], whole.X.shape[1]
        trainer = self._trainer(shape)
        n_epochs = self._n_epochs(shape[0], trainer.batch_size)
        noise = noise_settings(
            self.corruption,
            self.corruption_level,
            X=whole.X,
            units=units,
            emphasis=self.emphasis,
            image_shape=self.image_shape,
        )
        return Fitting(
            whole=whole,
            weights=table.weights,
            start_rows=partial(table.start_rows, units) if self._starts_at_pca() else no_rows,
            streamed=partial(table.streamed, units, whole.fill),
            architecture=partial(self._architecture, shape, noise),
            build=self._build,
            linear_start=self._linear_start if self._has_linear_start() else None,
            unweighted=self._unweighted,
            trainer=trainer,
            n_epochs=n_epochs,
            hold_out=self._held_out(table),
            refit=self.refit,
            patience=self.n_iter_no_change,
            tol=self.tol,
            device=resolve_device(self.device),
            random_state=random_state,
            seed=int(random_state.randint(2**31 - 1)),
            search_observer=Printer(self, n_epochs),
            checkpoint=checkpoint,
        )

    def _choose_n_components(self, fitting: Fitting) -> Steps[int]:
        """The width of the code: as given, all there are, or the least that explains a share."""
        most = self._widest_code(fitting.X.shape)
        limit = min(*fitting.X.shape, most)
        if self.n_components is None:
            return limit
        if isinstance(self.n_components, Integral):
            if self.n_components > most:
                raise ValueError(
                    f"n_components={self.n_components} is larger than "
                    f"min(n_samples, n_features)={most}; pass at most that, or None to keep all."
                )
            return int(self.n_components)
        return (yield from narrowest(fitting, self.n_components, limit))

    def _previous(self, n_features: int) -> Canonical | None:
        """The module that a warm start goes on from."""
        if not (self.warm_start and hasattr(self, "module_")):
            return None
        before = len(self.module_.location)
        if before != n_features:
            raise ValueError(
                f"warm_start=True goes on from a fit on {before} features, but X has "
                f"{n_features}; set warm_start=False to start afresh."
            )
        return self.module_

    # What a fit leaves

    def _fitted_attributes(
        self, table: Table, fitting: Fitting, units: Units, architecture: dict, fitted: Fitted
    ) -> dict[str, Any]:
        """What training has found, in the words of scikit-learn."""
        module, record, squared_unit = fitted.module, fitted.record, units.squared_scale
        history = history_of(fitted)
        reading = Reading(
            module=without_silent_networks(module),
            X=fitting.described,
            n_components=architecture["coders"]["n_components"],
            axes_of=partial(self._axes, whiten=self.whiten),
            unit=self._code_unit(units),
            seed=fitting.seed,
        )
        axes, n_components = reading.axes, len(reading.axes.variance)
        shape = fitting.X.shape
        noise_variance = self._noise_variance(reading.squared_residual, shape, n_components)
        location, scale = (
            to_tensor(np.asarray(part), dtype=torch.float64) for part in units.of_rows
        )
        density = self._density(reading, noise_variance)
        fill, dtype = fitting.whole.fill, table.X.dtype
        canonical = self._canonical(module, location, scale, reading.code_map, density, fill)
        return {
            "module_": canonical.to(getattr(torch, dtype.name)),
            "n_components_": n_components,
            "mean_": table.mean.astype(dtype),
            "explained_variance_": axes.variance * squared_unit,
            "explained_variance_ratio_": axes.variance / (reading.total_variance or 1.0),
            "effective_dimension_": axes.effective_dimension,
            "noise_variance_": noise_variance * squared_unit,
            "n_iter_": max(1, len(record.losses)) if record else 1,
            "best_iter_": fitted.best,
            "loss_curve_": history["loss"].tolist(),
            "validation_scores_": fitted.scores,
            "history_": history,
            "_fitted_architecture": architecture,
            **self._own_attributes(reading, units),
        }

    # Using it

    def transform(self, X):
        """Codes of some rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        Z : ndarray of shape (n_samples, n_components)
            Codes in the canonical basis, in X's dtype.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, or holds infinity.
        """
        X = self._rows(X, "transform")
        return self._map(self._canonical.encode, X, X.dtype)

    def inverse_transform(self, X):
        """Rows for some codes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_components)
            Codes, as `transform` returns them.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Reconstructions in data space, in the codes' dtype.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_components_``, or is not finite.
        """
        X = self._given_codes(X)
        return self._map(self._canonical.decode, X, X.dtype)

    def _given_codes(self, X) -> np.ndarray:
        check_is_fitted(self)
        refuse_lazy(X, source_too=True)
        check_same_namespace(X, self, attribute="mean_", method="inverse_transform")
        X = check_array(X, dtype=floats_of(X))
        if X.shape[1] != self.n_components_:
            raise ValueError(
                f"X has {X.shape[1]} columns, but {type(self).__name__} decodes codes of "
                f"{self.n_components_} components; pass the output of `transform`."
            )
        return X

    def _rows(self, X, method: str) -> Any:
        check_is_fitted(self)
        refuse_lazy(X, source_too=True)
        check_same_namespace(X, self, attribute="mean_", method=method)
        return self._checked(X, reset=False)

    def _map(self, method: Callable, X: Any, dtype: Any, width: int = 0) -> np.ndarray:
        """Apply a method of the module to rows, in the given dtype, on the estimator's device."""
        device, given, X = resolve_device(self.device), X, readable(X)
        dtype = numpy_dtype(dtype)
        with plain_torch(grad=False):
            module = without_silent_networks(self.module_)
            torch_dtype = getattr(torch, dtype.name)
            if device.type != "cpu" or module.scale.dtype != torch_dtype:
                module = deepcopy(module).to(device, torch_dtype)  # the fitted one never changes
            if module.fill is not None and has_gaps(X):
                width = max(width, module.fill.loadings.numel())  # of the regression for gaps
            width = max(width, self.n_features_in_, self.n_components_)
            Y = map_rows(partial(method, module), X, dtype=dtype, width=width, device=device)
        return like(Y, given)
