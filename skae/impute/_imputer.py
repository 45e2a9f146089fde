"""Missing cells filled in: scikit-learn's interface."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral
from typing import Any, ClassVar
from warnings import warn

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context, clone
from sklearn.impute import MissingIndicator
from sklearn.utils import check_random_state
from sklearn.utils._mask import _get_mask
from sklearn.utils._missing import is_scalar_nan
from sklearn.utils._param_validation import HasMethods, Interval, MissingValues
from sklearn.utils.validation import _check_feature_names_in, assert_all_finite, check_is_fitted

from skae.autoencoders._table import checked
from skae.impute._learning import completion_of
from skae.impute._storing import arrays_of, completion_from
from skae.training import map_rows, plain_torch


@dataclass(eq=False, repr=False, kw_only=True)
class AutoencoderImputer(TransformerMixin, BaseEstimator):
    r"""Missing cells as a Gaussian sees them, corrected by a network where it is wrong.

    .. math:: \hat x_m = \bigl[ y + f(y, m) \bigr]_m, \qquad
        y_m = \mathbb{E}[x_m \mid x_o], \quad y_o = x_o

    The Gaussian is as likely as can be given the known cells o of all rows, its correlations
    shrunk. The denoising autoencoder on top of it is the identity at first. It learns from known
    cells that are hidden, in the same places as cells are missing, and is kept only if hidden
    cells of rows that it has not seen gain by more than the standard error. Takes the place of
    :class:`~sklearn.impute.IterativeImputer`; columns may have any unit.

    Parameters
    ----------
    estimator : estimator with ``transform`` and ``inverse_transform``, default=None
        Fills in what ``inverse_transform(transform(X))`` says of the missing cells instead; it is
        cloned, and takes NaN, as every autoencoder here does. None is what is described above.
    missing_values : int, float or np.nan, default=np.nan
        What stands for a missing cell.
    hidden_layer_sizes : sequence of int, default=(64, 64)
        Hidden widths of the network. Of no effect with an `estimator`, as `max_iter`.
    max_iter : int, default=8
        Epochs at most; 0 stays at the Gaussian.
    add_indicator : bool, default=False
        Whether columns that say which cells were missing follow, as in
        :class:`~sklearn.impute.MissingIndicator`.
    keep_empty_features : bool, default=False
        Whether columns without any value in `fit` stay, with 0 in their missing cells. Otherwise
        they are left out, with a warning.
    random_state : int, RandomState instance or None, default=None
        Hides cells, splits rows, and draws the network's weights.

    Attributes
    ----------
    module_ : Completion or None
        The Gaussian and the network, in a module whose ``correction`` is None where the network
        was of no use; None with an `estimator`, or where all columns are empty.
    estimator_ : estimator or None
        The fitted one.
    indicator_ : MissingIndicator or None
        Says which cells were missing, if asked for.
    gain_ : float
        Share of the Gaussian's squared error on hidden cells that the network takes away, in rows
        that it has not seen; 0 where it is not kept.
    n_iter_ : int
        Epochs, at least 1.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if they are all strings.

    See Also
    --------
    sklearn.impute.IterativeImputer : Regressions of each column on the others.
    sklearn.impute.KNNImputer : The mean of rows that are alike.

    References
    ----------
    .. [1] Little & Rubin (2019). Statistical analysis with missing data, chapter 8. Wiley.
    .. [2] Vincent et al. (2008). Extracting and composing robust features with denoising
       autoencoders. ICML.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.impute import AutoencoderImputer
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(200, 1)) @ [[1.0, 2.0, -1.0]] + 0.01 * rng.normal(size=(200, 3))
    >>> X[0] = [1.0, np.nan, -1.0]
    >>> AutoencoderImputer(random_state=0).fit_transform(X)[0].round(1)
    array([ 1.,  2., -1.])
    """

    estimator: Any = field(default=None, kw_only=False)
    missing_values: float = np.nan
    hidden_layer_sizes: Sequence[int] = (64, 64)
    max_iter: int = 8
    add_indicator: bool = False
    keep_empty_features: bool = False
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "estimator": [HasMethods(["fit", "transform", "inverse_transform"]), None],
        "missing_values": [MissingValues(numeric_only=True)],
        "hidden_layer_sizes": ["array-like"],
        "max_iter": [Interval(Integral, 0, None, closed="left")],
        "add_indicator": ["boolean"],
        "keep_empty_features": ["boolean"],
        "random_state": ["random_state"],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.allow_nan = is_scalar_nan(self.missing_values)
        return tags

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Learn to fill in missing cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted.

        Raises
        ------
        ValueError
            If X holds infinity, or NaN where something else stands for missing cells, or if a
            parameter is out of its range.
        """
        if any(not isinstance(n, Integral) or n < 1 for n in self.hidden_layer_sizes):
            raise ValueError(
                f"hidden_layer_sizes={self.hidden_layer_sizes!r} must hold positive integers."
            )
        X, missing = self._rows(X, reset=True)
        self._kept = ~missing.all(axis=0)
        self.indicator_ = None
        if self.add_indicator:
            self.indicator_ = MissingIndicator(error_on_new=False)
            self.indicator_.fit(np.where(missing, np.nan, X))
        self._warn_of_empty_columns()
        rows = np.where(missing, np.nan, X)[:, self._kept]
        self.module_, self.estimator_, self.n_iter_, self.gain_ = None, None, 1, 0.0
        if not self._kept.any():
            return self
        if self.estimator is not None:
            self.estimator_ = clone(self.estimator).fit(rows)
        else:
            with plain_torch(grad=False):
                self.module_, record = completion_of(
                    rows.astype(np.float64),
                    hidden_layer_sizes=tuple(self.hidden_layer_sizes),
                    max_iter=self.max_iter,
                    random_state=check_random_state(self.random_state),
                )
            if record is not None:
                self.n_iter_ = max(1, len(record.losses))
            if self.module_.correction is not None:
                self.gain_ = max(record.scores)
        return self

    def transform(self, X):
        """Fill in missing cells.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        X_filled : ndarray of shape (n_samples, n_features_out)
            In X's dtype. Known cells are as they were.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, or holds infinity, or NaN
            where something else stands for missing cells.
        """
        check_is_fitted(self)
        X, missing = self._rows(X, reset=False)
        rows = np.where(missing, np.nan, X)
        filled = np.where(missing, 0.0, X).astype(X.dtype)
        if missing[:, self._kept].any():
            filled[:, self._kept] = self._filled(rows[:, self._kept])
        if not self.keep_empty_features:
            filled = filled[:, self._kept]
        if self.indicator_ is None:
            return filled
        return np.hstack([filled, self.indicator_.transform(rows).astype(X.dtype)])

    def _filled(self, rows: np.ndarray) -> np.ndarray:
        """Rows of the columns that are not empty, without gaps."""
        if self.estimator_ is not None:
            gaps = np.isnan(rows)
            some = gaps.any(axis=1)
            guess = self.estimator_.inverse_transform(self.estimator_.transform(rows[some]))
            filled = rows.copy()
            filled[gaps] = np.asarray(guess)[gaps[some]]
            return filled
        width = self.module_.fill.loadings.numel()  # of the regression for gaps
        with plain_torch(grad=False):
            return map_rows(
                self.module_, rows, dtype=np.dtype(np.float64), width=width, device="cpu"
            )

    def _rows(self, X, *, reset: bool) -> tuple[np.ndarray, np.ndarray]:
        """The rows, and which of their cells are missing."""
        X = checked(self, X, reset=reset, sparse=False)
        if not is_scalar_nan(self.missing_values):
            assert_all_finite(X, input_name="X", estimator_name=type(self).__name__)
        return X, _get_mask(X, self.missing_values)

    def _warn_of_empty_columns(self) -> None:
        empty = _check_feature_names_in(self, generate_names=True)[~self._kept]
        if len(empty) and not self.keep_empty_features:
            shown = ", ".join(map(str, empty[:5])) + (", ..." if len(empty) > 5 else "")
            warn(
                f"{len(empty)} of {self.n_features_in_} columns hold no value at all and are left "
                f"out ({shown}); set keep_empty_features=True to have zeros there.",
                stacklevel=2,
            )

    def get_feature_names_out(self, input_features=None):
        """Names of the columns that `transform` returns.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names of the columns; None takes those seen in `fit`, or x0, x1 and so on.

        Returns
        -------
        names : ndarray of str
            Of the columns that are kept, and of the indicators.
        """
        check_is_fitted(self)
        input_features = _check_feature_names_in(self, input_features)
        names = input_features if self.keep_empty_features else input_features[self._kept]
        if self.indicator_ is None:
            return names
        return np.concatenate([names, self.indicator_.get_feature_names_out(input_features)])

    def __getstate__(self):
        """Arrays in place of the module, so that a pickle holds no tensor."""
        state = dict(super().__getstate__())
        if state.get("module_") is not None:
            state["module_"] = arrays_of(state["module_"])
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if getattr(self, "module_", None) is not None:
            self.module_ = completion_from(self.module_)
