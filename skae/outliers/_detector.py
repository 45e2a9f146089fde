"""Outlier detection with anything that scores rows."""

from dataclasses import dataclass, field
from math import ceil
from numbers import Real
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, OutlierMixin, _fit_context, clone
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline
from sklearn.utils import column_or_1d, get_tags
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples, check_is_fitted, validate_data

from skae.autoencoders import BaseAutoencoder
from skae.autoencoders._keeping import Storable
from skae.autoencoders._namespaces import on_host
from skae.autoencoders._table import checked
from skae.outliers._default import default_estimator
from skae.outliers._thresholds import n_alarms_of, refuse, tail_offset

TOLD = {
    "trim": lambda share: share,
    "support_fraction": lambda share: 1 - share,
}
"""What the wrapped estimator is told of the share of outliers, by its parameters' names."""

OPEN = {
    "random_state": (None,),
    "trim": (None, "auto", 0.0),
    "support_fraction": (None, "auto", 1.0),
}
"""Where it is told: where nothing else has been said."""

MOST_TRIMMED = 0.5 - float(np.finfo(np.float64).eps)
"""Half of the rows can be outliers, but fewer than half are left out of a robust fit."""


def last_step(estimator: Any) -> Any:
    """The one that scores, where there are others before it."""
    return estimator[-1] if isinstance(estimator, Pipeline) else estimator


@dataclass(eq=False, repr=False, kw_only=True)
class AutoencoderOutlierDetector(OutlierMixin, MetaEstimatorMixin, Storable, BaseEstimator):
    r"""Outliers are the rows of low density under a model of the others.

    Takes the place of :class:`~sklearn.ensemble.IsolationForest`: `predict` says -1 of the rows
    whose score is below ``offset_`` and 1 of the others, of the training rows as of new ones.

    Parameters
    ----------
    estimator : estimator with ``score_samples``, default=None
        Scores rows, higher for more normal ones: an autoencoder, ``PCA``, ``GaussianMixture``,
        ``KernelDensity``, or a pipeline that ends in one. It is cloned before it is fitted; one
        that is fitted already, and is to stay as it is, goes into a
        :class:`~sklearn.frozen.FrozenEstimator`. None is an `AutoencoderTransformer` with half as
        many components as X has features, five epochs of training, and ``density="mixture"``.
    contamination : "auto" or float in (0, 0.5], default="auto"
        Share of outliers among the rows that `fit` is given; their scores' quantile is the
        threshold then. The wrapped estimator is told, too: parameters of it, or of its parts, that
        are called ``trim`` and have their default become this share, and ``support_fraction``
        what is left. "auto" knows no share: it draws the line where the scores of a Gaussian have
        at most one row in 64 left; see Notes.
    false_alarm_rate : float in (0, 1), default=None
        Share of normal rows that may be taken for outliers. The threshold then comes from rows held
        out from training and keeps to this rate for new rows that are exchangeable with them,
        whatever the estimator. It cannot be combined with `contamination`.
    calibration_fraction : float in (0, 1), default=0.2
        Share of the rows that are held out for `false_alarm_rate`; of no effect without it. For
        a ``FrozenEstimator`` it is all rows: pass `fit` rows that it has not seen.
    random_state : int, RandomState instance or None, default=None
        Of the choice of rows to hold out, and of the wrapped estimator where its own is None.

    Attributes
    ----------
    estimator_ : estimator
        The fitted one.
    offset_ : float
        The threshold on the scores.
    calibration_scores_ : ndarray of shape (n_calibration,) or None
        Scores of the held-out rows, sorted; None without `false_alarm_rate`.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if they are all strings.

    See Also
    --------
    AutoencoderTransformer : Its `score_samples` is a log-density.
    sklearn.neighbors.LocalOutlierFactor : Where normal rows are known by their neighbours.

    Notes
    -----
    "auto" is a threshold on the scores' median :math:`m` and lower quartile :math:`q`,

    .. math:: t = m - 5\,(m - q).

    Where the share of rows that score below :math:`m - u` has a logarithm that is concave in u,
    it at least halves with each :math:`m - q`, from one half at the median, and at most
    :math:`2^{-6} = 1.6\,\%` of the rows score below :math:`t`. The log-density of a Gaussian is
    so in two dimensions, where it is 1.6 %, and in more, where it is less; in one it is 2.9 %.
    Fewer than a quarter of the rows can be anywhere, and the threshold stays within a bound.

    Unlike :class:`~sklearn.neighbors.LocalOutlierFactor` there is no ``novelty``: the model scores
    any row, so that `predict` is right for training rows (outlier detection) and for new ones
    (novelty detection). Training rows score a little higher than new ones would, though, and a
    threshold on their scores gives more alarms on new rows than on themselves. With
    `false_alarm_rate` it does not.

    References
    ----------
    .. [1] Laxhammar & Falkman (2010). Conformal prediction for distribution-independent anomaly
       detection in streaming vessel data. StreamKDD.
    .. [2] Bates, Candès, Lei, Romano & Sesia (2023). Testing for outliers with conformal p-values.
       Annals of Statistics 51.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import AutoencoderTransformer
    >>> from skae.outliers import AutoencoderOutlierDetector
    >>> rng = np.random.default_rng(0)
    >>> X = rng.normal(size=(300, 2)) @ [[1, 1, 0], [0, 1, 1]] + 0.1 * rng.normal(size=(300, 3))
    >>> model = AutoencoderTransformer(n_components=2, max_iter=0)
    >>> detector = AutoencoderOutlierDetector(model, false_alarm_rate=0.05, random_state=0).fit(X)
    >>> detector.predict([[1, 2, 1], [1, -2, 1]])
    array([ 1, -1])
    >>> detector.predict_pvalue([[1, 2, 1], [1, -2, 1]]).round(2)
    array([0.59, 0.02])
    """

    estimator: Any = field(default=None, kw_only=False)
    contamination: float | str = "auto"
    false_alarm_rate: float | None = None
    calibration_fraction: float = 0.2
    random_state: int | np.random.RandomState | None = None

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "estimator": [HasMethods(["fit", "score_samples"]), None],
        "contamination": [StrOptions({"auto"}), Interval(Real, 0, 0.5, closed="right")],
        "false_alarm_rate": [Interval(Real, 0, 1, closed="neither"), None],
        "calibration_fraction": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        unfitted = self._unfitted()
        tags.input_tags = get_tags(unfitted).input_tags
        # PCA is fitted on sparse rows, but does not score them
        tags.input_tags.sparse &= isinstance(last_step(unfitted), BaseAutoencoder)
        return tags

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X, y=None):
        """Fit the wrapped estimator, and put the threshold on the scores.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows, as the wrapped estimator takes them; most of them normal.
        y : None
            Ignored.

        Returns
        -------
        self : object
            Fitted.

        Raises
        ------
        ValueError
            If both `contamination` and `false_alarm_rate` are given, if too few rows are held out
            for that rate, if rows get scores that are not finite, or if the wrapped estimator
            refuses X.
        """
        if self.contamination != "auto" and self.false_alarm_rate is not None:
            raise ValueError(
                f"contamination={self.contamination!r} and false_alarm_rate="
                f"{self.false_alarm_rate!r} are two thresholds; leave contamination='auto' or "
                "false_alarm_rate=None."
            )
        training, thresholding = self._split(X)
        unfitted = self.estimator
        if unfitted is None:
            unfitted = default_estimator(checked(self, training, reset=True).shape)
        estimator = self._told(clone(unfitted)).fit(training, None)
        if _num_samples(X) == 1:
            raise ValueError(
                "A threshold needs two rows or more, but X has n_samples=1; pass more."
            )
        scores = self._scores_of(estimator, thresholding)
        refuse(~np.isfinite(scores), scores, "infinite or NaN", "where a threshold is sought")
        validate_data(self, X, skip_check_array=True)
        self.estimator_ = estimator
        self.calibration_scores_ = None
        if self.false_alarm_rate is not None:
            self.calibration_scores_ = np.sort(scores)
            n_alarms = n_alarms_of(len(scores), self.false_alarm_rate)
            self.offset_ = float(self.calibration_scores_[n_alarms - 1])
        elif self.contamination == "auto":
            self.offset_ = tail_offset(scores)
        else:
            self.offset_ = float(np.quantile(scores, self.contamination))
        return self

    def _unfitted(self) -> Any:
        return default_estimator((1, 1)) if self.estimator is None else self.estimator

    def _told(self, estimator: Any) -> Any:
        """The estimator with what it, or a part of it, leaves open and this one knows."""
        told = {"random_state": self.random_state}
        if self.contamination != "auto":
            share = min(float(self.contamination), MOST_TRIMMED)
            told |= {name: tell(share) for name, tell in TOLD.items()}
        left_open = {
            name: told[own]
            for name, value in estimator.get_params().items()
            if (own := name.rpartition("__")[2]) in told and value in OPEN[own]
        }
        return estimator.set_params(**left_open) if left_open else estimator

    def _split(self, X) -> tuple[Any, Any]:
        """The rows to learn from, and those whose scores the threshold comes from."""
        if self.false_alarm_rate is None:
            return X, X
        n_samples, frozen = _num_samples(X), isinstance(self.estimator, FrozenEstimator)
        n_held_out = n_samples if frozen else ceil(self.calibration_fraction * n_samples)
        if n_alarms_of(n_held_out, self.false_alarm_rate) == 0:
            fraction = "" if frozen else f"calibration_fraction={self.calibration_fraction:g} of "
            raise ValueError(
                f"false_alarm_rate={self.false_alarm_rate:g} needs "
                f"{ceil(1 / self.false_alarm_rate) - 1} calibration rows, but {fraction}"
                f"n_samples={n_samples} is {n_held_out}; pass more rows"
                f"{'' if frozen else ', a larger calibration_fraction'} or a rate of at least "
                f"1 / {n_held_out + 1}."
            )
        if frozen:
            return X, X
        return tuple(train_test_split(X, test_size=n_held_out, random_state=self.random_state))

    @staticmethod
    def _scores_of(estimator: Any, X) -> np.ndarray:
        scores = column_or_1d(
            on_host(estimator.score_samples(X)), dtype=np.float64, input_name="scores"
        )
        refuse(np.isnan(scores), scores, "NaN", "and NaN is neither high nor low")
        return scores

    def score_samples(self, X):
        """Scores of the wrapped estimator, higher for more normal rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_samples,), float64
            In the wrapped estimator's units: nats, for an autoencoder. Minus infinity is allowed.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If the wrapped estimator refuses X, or gives NaN.
        """
        check_is_fitted(self)
        scores = self._scores_of(self.estimator_, X)
        validate_data(self, X, reset=False, skip_check_array=True)  # a frozen one lacks the names
        return scores

    def decision_function(self, X):
        """Scores above the threshold.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        decision : ndarray of shape (n_samples,), float64
            ``score_samples(X) - offset_``, negative for outliers.
        """
        return self.score_samples(X) - self.offset_

    def predict(self, X):
        """Which rows are outliers.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`, training rows or new ones.

        Returns
        -------
        y : ndarray of shape (n_samples,), int
            -1 for outliers, 1 for the others.
        """
        return np.where(self.decision_function(X) < 0, -1, 1)

    def predict_pvalue(self, X):
        r"""How often a normal row is as unusual as each of these: conformal p-values.

        .. math:: p(x) = \frac{1 + \#\{i : s_i \le s(x)\}}{n + 1}

        over the scores :math:`s_i` of the n calibration rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            New rows with the columns seen in `fit`.

        Returns
        -------
        p : ndarray of shape (n_samples,), float64
            In (0, 1], at least ``1 / (n_calibration + 1)``. A row that is exchangeable with the
            calibration rows has one of at most a with a probability of at most a; `predict` takes
            those of at most `false_alarm_rate` for outliers.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If `fit` was called without `false_alarm_rate`.
        """
        scores = self.score_samples(X)
        if self.calibration_scores_ is None:
            raise ValueError(
                "p-values need calibration rows, but fit was called with false_alarm_rate=None; "
                "set it and fit again."
            )
        n_below = np.searchsorted(self.calibration_scores_, scores, side="right")
        return (1 + n_below) / (len(self.calibration_scores_) + 1)

    @available_if(lambda detector: hasattr(last_step(detector._unfitted()), "explain"))
    def explain(self, X):
        """What the wrapped estimator says of the reasons.

        There only if it has ``explain``, or is a pipeline whose last step has it; the cells are
        then those that this step sees.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        explanation : object
            As the wrapped estimator, or the last step, returns it: a frame, if it sees one.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        """
        check_is_fitted(self)
        model = self.estimator_
        if isinstance(model, Pipeline) and len(model) > 1:
            X = model[:-1].transform(X)
        return last_step(model).explain(X)
