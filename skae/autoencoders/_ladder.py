"""The ladder: denoising at every layer, and a classifier where some rows have labels."""

from collections.abc import Sequence
from dataclasses import replace
from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from sklearn.metrics import accuracy_score
from sklearn.utils import ClassifierTags
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import column_or_1d

from skae.autoencoders._bottleneck import BottleneckAutoencoder
from skae.autoencoders._documentation import variant
from skae.autoencoders._labels import LabelledFitting, Labels, known_in, listed
from skae.autoencoders._namespaces import like, on_host
from skae.autoencoders._sizes import auto, epochs, refuse_unmirrored
from skae.nn import LadderAutoencoder as LadderModule
from skae.nn import LadderCanonical


class Announced(NamedTuple):
    """Labels of some rows, and the classes that there are."""

    y: Any
    classes: Any


def _tells_classes(estimator: Any) -> bool:
    if estimator.classification_weight > 0:
        return True
    raise AttributeError(
        f"{type(estimator).__name__} tells no classes with classification_weight=0; set it above "
        "0, and pass labels to fit."
    )


@variant
class LadderAutoencoder(BottleneckAutoencoder):
    r"""Autoencoder that denoises at every layer, and learns classes from a few labels.

    .. math:: \min \; \mathbb{E} \; \ell\bigl(g(\tilde z), x\bigr)
        + \lambda_0\, \ell\bigl(\hat z_0, x\bigr)
        + \sum_{i \ge 1} \lambda_i \frac{d}{2 d_i} \bigl\| \hat z_i - z_i \bigr\|^2
        - w\, d\, \log \tilde p_y, \qquad
        \hat z_i = u_i + v_i(u_i) \odot (\tilde z_i - u_i)

    The encoder goes over each row twice: as it is, through layers :math:`z_i` of width
    :math:`d_i`, and corrupted, with noise at every layer, through :math:`\tilde z_i`. Coming down,
    the decoder estimates each layer from :math:`u_i`, what the one above says of it, and from what
    a lateral connection brings; gains :math:`v_i`, of a few weights a unit, start at zero. So what
    is high up need not carry what is told from the side, and is free for what rows have in
    common. The first term is that of :class:`DenoisingAutoencoder`, from the code alone: this is
    the way of `transform` and `inverse_transform`, with nothing from the side.

    With ``classification_weight`` above 0 this is a classifier, and `fit` wants labels: `y` holds
    the class of each row, or -1 where it is not known. The ladder ends in the classes then: its
    decoder comes down from nothing but their probabilities, and has its reconstructions from
    whatever classes, and lateral connections, say. So all rows teach what a few labels have named.
    With it at 0, as by default, `y` is ignored, as in every transformer of a pipeline.

    The start is that of :class:`DenoisingAutoencoder`, the best linear denoiser. The number of
    epochs is chosen by the reconstructions of held-out rows from their codes, and, of those with
    labels, the squared errors of their probabilities; what layers' estimates cost is no measure of
    progress, as the layers move. Rows that are held out take their labels with them, until all
    rows are trained on.

    Normalisation is by row, not by batch as in [1]_, so that a row's code depends on nothing else;
    only the classes' scores are normalised by batch, which keeps each class alive.

    Parameters
    ----------
    decoder_layer_sizes : sequence of int or None, default=None
        Hidden widths of the decoder's network: None, or the encoder's in reverse.
    encoder, decoder : torch.nn.Module or None, default=None
        Modules to take the place of the built-in networks. Their layers are not known, so that
        the only lateral connection is from the row itself.
    normalization : {"layer", "batch"} or None, default="layer"
        What stands before each activation, and so the unit of `noise_level`. With None layers may
        outgrow the noise.
    corruption : str or None, default="gaussian"
        Noise on the row, as in :class:`DenoisingAutoencoder`.
    layer_weights : float or sequence of float, default=(1.0, 0.001)
        :math:`\lambda_0, \lambda_1, \ldots` of the row and of the hidden layers from the data
        inwards, at least 0; the last one is that of all further layers. In units of the loss on
        the row. With all of them at 0 this is :class:`DenoisingAutoencoder`.
    noise_level : float, default=0.3
        Standard deviation of the noise at hidden layers, where a layer's units have 1, at least 0.
    classification_weight : float, default=0.0
        :math:`w`, at least 0: what a nat of the classifier's surprise at a label costs, in nats a
        feature, where the error of saying the mean is 1/2. Above 0 there is a classifier.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes, sorted; empty without a classifier.

    See Also
    --------
    DenoisingAutoencoder : The same without a ladder: quicker, and better reconstructions.
    sklearn.semi_supervised.LabelSpreading : Spreads labels along neighbours.
    sklearn.semi_supervised.SelfTrainingClassifier : Teaches a classifier what it is sure of.

    References
    ----------
    .. [1] Rasmus, Valpola, Honkala, Berglund & Raiko (2015). Semi-supervised learning with ladder
       networks. NeurIPS.
    .. [2] Pezeshki et al. (2016). Deconstructing the ladder network architecture. ICML.

    Examples
    --------
    Digits of which fifty have a label:

    >>> import numpy as np
    >>> from sklearn.datasets import load_digits
    >>> from skae import LadderAutoencoder
    >>> X, y = load_digits(return_X_y=True)
    >>> known = np.full(1500, -1)
    >>> known[:50] = y[:50]
    >>> settings = {"hidden_layer_sizes": (64, 64), "early_stopping": False, "max_iter": 15}
    >>> model = LadderAutoencoder(16, classification_weight=0.3, random_state=0, **settings)
    >>> model = model.fit(X[:1500], known)
    >>> model.transform(X[1500:]).shape, model.predict_proba(X[1500:]).shape
    ((297, 16), (297, 10))
    >>> bool(model.score(X[1500:], y[1500:]) > 0.75)
    True
    """

    normalization: str | None = "layer"
    corruption: str | None = "gaussian"
    layer_weights: float | Sequence[float] = (1.0, 0.001)
    noise_level: float = 0.3
    classification_weight: float = 0.0

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BottleneckAutoencoder._parameter_constraints,
        "layer_weights": [Interval(Real, 0, None, closed="left"), "array-like"],
        "noise_level": [Interval(Real, 0, None, closed="left")],
        "classification_weight": [Interval(Real, 0, None, closed="left")],
    }

    _module = LadderModule
    _canonical: ClassVar = LadderCanonical

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        if self.classification_weight > 0:
            tags.estimator_type, tags.classifier_tags = "classifier", ClassifierTags()
            tags.target_tags.required = True
        return tags

    def _check_architecture(self):
        super()._check_architecture()
        refuse_unmirrored(self.hidden_layer_sizes, self.decoder_layer_sizes)
        weights = np.ravel(np.asarray(self.layer_weights, dtype=np.float64))
        if not len(weights) or not (np.isfinite(weights) & (weights >= 0)).all():
            raise ValueError(
                f"layer_weights={self.layer_weights!r} must be one or several numbers of at least "
                "0, for the row and for the hidden layers; pass 0 to leave a layer out."
            )

    def _labels(self, y, X, *, reset):
        if self.classification_weight == 0:
            return None
        y, classes = y if isinstance(y, Announced) else (y, None)
        classes = None if classes is None else listed(np.asarray(classes))
        if not reset and hasattr(self, "module_"):
            if not len(self.classes_):
                raise ValueError(
                    f"classification_weight={self.classification_weight} wants classes, but the "
                    "last fit had none to go on from; set warm_start=False, and call fit."
                )
            classes = on_host(self.classes_)
        if y is None and classes is not None:
            y = np.full(len(X), -1)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None; pass "
                "the rows' classes, of which -1 is unknown, or set classification_weight=0."
            )
        return Labels.read(on_host(y), X, classes)

    def _streamed(self, source, sample_weight):
        if self.classification_weight > 0:
            raise ValueError(
                f"classification_weight={self.classification_weight} learns from labels, which "
                "rows that are read in blocks do not have; pass an array of at most 67 million "
                "cells, or fit parts of it by partial_fit."
            )
        return super()._streamed(source, sample_weight)

    def _n_epochs(self, n_samples, batch_size):
        if self.classification_weight > 0:  # PCA has nothing to lose, and classes to learn
            return auto(self.max_iter, epochs, n_samples, batch_size)
        return super()._n_epochs(n_samples, batch_size)

    def _fitting(self, table, units, random_state, checkpoint):
        fitting = super()._fitting(table, units, random_state, checkpoint)
        labels = table.labels
        if labels is None:
            return fitting
        top = {
            "n_classes": len(labels.classes),
            "labelled_share": float((labels.codes >= 0).mean()),
        }

        def architecture(n_components: int) -> dict[str, Any]:
            made = fitting.architecture(n_components)
            return made | {"module": made["module"] | top, "classes": labels.classes}

        return LabelledFitting.of(replace(fitting, architecture=architecture), labels)

    def _architecture(self, shape, noise, n_components):
        architecture = super()._architecture(shape, noise, n_components)
        architecture["module"] |= {
            "n_features": shape[1],
            "layer_weights": np.ravel(self.layer_weights).astype(float).tolist(),
            "noise_level": float(self.noise_level),
            "classification_weight": float(self.classification_weight),
        }
        return architecture

    @classmethod
    def _build(cls, architecture, rng):
        settings, coders = dict(architecture["module"]), architecture["coders"]
        n_classes = settings.pop("n_classes", 0)
        module = super()._build(architecture | {"module": settings}, rng)
        if n_classes:
            module.end_in(n_classes, coders["n_components"], rng)
        return module

    def _fitted_attributes(self, table, fitting, units, architecture, fitted):
        attributes = super()._fitted_attributes(table, fitting, units, architecture, fitted)
        return attributes | {"classes_": architecture.get("classes", np.empty(0, dtype=object))}

    def fit(self, X, y=None, sample_weight=None):
        """Fit the autoencoder, and the classifier if there is one.

        Parameters
        ----------
        X : {array-like, sparse matrix, Source} of shape (n_samples, n_features)
            Training rows; NaN is a missing cell. See `AutoencoderTransformer.fit`.
        y : array-like of shape (n_samples,) or None, default=None
            Classes, of which -1 is unknown, for ``classification_weight`` above 0; otherwise
            ignored.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows, not negative. A weight of 2 is the row twice, one of 0 no row.

        Returns
        -------
        self : object
            Fitted.

        Raises
        ------
        ValueError
            As of every autoencoder; and if there is a classifier, but y is None, has no label, is
            not made of classes, or X is read in blocks.
        RuntimeError
            If another fit is writing `checkpoint` just now.
        """
        return super().fit(X, y, sample_weight)

    def partial_fit(self, X, y=None, sample_weight=None, classes=None):
        """Go on with the fit on some more rows: one pass over them, from where it stands.

        See `AutoencoderTransformer.partial_fit`.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Some rows; NaN is a missing cell.
        y : array-like of shape (n_samples,) or None, default=None
            Classes, of which -1 is unknown, for ``classification_weight`` above 0; otherwise
            ignored. None is all unknown.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows, as in `fit`.
        classes : array-like of shape (n_classes,) or None, default=None
            All classes there will be; for the first call, None takes those in y.

        Returns
        -------
        self : object
            Fitted to these rows, too.

        Raises
        ------
        ValueError
            As in `fit`, and if y has a class that the first call did not name.
        """
        return super().partial_fit(X, Announced(y, classes), sample_weight)

    @available_if(_tells_classes)
    def predict_proba(self, X):
        """Probabilities of the classes.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        P : ndarray of shape (n_samples, n_classes)
            In [0, 1], with columns as in ``classes_``, in X's dtype.

        Raises
        ------
        AttributeError
            If ``classification_weight`` is 0.
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, or holds infinity.
        """
        X = self._rows(X, "predict_proba")
        return self._map(LadderCanonical.probabilities, X, X.dtype)

    @available_if(_tells_classes)
    def predict(self, X):
        """The likeliest class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            Classes.

        Raises
        ------
        AttributeError
            If ``classification_weight`` is 0.
        NotFittedError
            If `fit` has not been called.
        ValueError
            If X has a number of columns other than ``n_features_in_``, or holds infinity.
        """
        X = self._rows(X, "predict")
        numbers = on_host(self._map(LadderCanonical.probabilities, X, X.dtype)).argmax(axis=1)
        found = on_host(self.classes_)[numbers]
        return found if found.dtype == object else like(found, X)

    def score(self, X, y=None, sample_weight=None):
        """Share of rows whose class is told; without a classifier, the mean log-density.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows with the columns seen in `fit`.
        y : array-like of shape (n_samples,) or None, default=None
            Their classes, for ``classification_weight`` above 0; rows where it is -1 do not count.
            Otherwise ignored.
        sample_weight : array-like of shape (n_samples,) or None, default=None
            Weights of the rows in the mean.

        Returns
        -------
        score : float
            Accuracy in [0, 1], or nats per row; higher is better.
        """
        if self.classification_weight == 0:
            return super().score(X, y, sample_weight)
        told, y, weights = map(on_host, (self.predict(X), y, sample_weight))
        y = column_or_1d(y)
        known = known_in(y)
        weights = None if weights is None else np.asarray(weights)[known]
        return accuracy_score(y[known], told[known], sample_weight=weights)
