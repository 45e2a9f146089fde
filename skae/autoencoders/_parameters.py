"""The parameters that every autoencoder has, declared and documented once."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from torch import nn

from skae.nn import (
    ACTIVATIONS,
    CORRUPTIONS,
    NORMALIZATIONS,
    RECONSTRUCTIONS,
    WEIGHT_INITS,
)
from skae.training import LEARNING_RATES, SOLVERS


@dataclass(eq=False, repr=False, kw_only=True)
class Parameters:
    r"""What every autoencoder is told, and what it tells after fit.

    Parameters
    ----------
    n_components : int, float or None, default=None
        Width of the code. An int is at most ``min(n_samples, n_features)``. A float in (0, 1) asks
        for the smallest code that explains this share of the held-out variance, found by halving,
        at the price of a fit for each width tried. None keeps all components; there is nothing to
        learn then but to see through noise, and without `corruption` it is PCA.
    hidden_layer_sizes : "auto" or sequence of int, default="auto"
        Hidden widths of the encoder's network; an empty sequence leaves the linear path alone.
        "auto" is layers twice as wide as the data, within [64, 256]: three of them, or, below 1,000
        rows, one and another of half its width.
    decoder_layer_sizes : sequence of int or None, default=None
        Hidden widths of the decoder's network; None mirrors the encoder's.
    architecture : {"dense", "transformer"}, default="dense"
        Of the encoder's network. "transformer" makes a token of each cell of a row, and these
        attend to each other, in as many blocks as there are hidden layers, whose widths it does
        not use; its cost grows with the square of the number of features.
    activation : str, default="auto"
        What follows each hidden layer: "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh",
        "logistic" or "identity". "auto" is "relu", or, below 1,000 rows, "silu".
    loss : str, default="squared_error"
        The reconstruction error :math:`\ell`: "squared_error", "absolute_error", "huber" or
        "binary_cross_entropy". The link :math:`h` is the identity, but the logistic
        function for "binary_cross_entropy", which needs data in [0, 1]; the start is then PCA to
        first order around the mean, and no better or worse than PCA by any guarantee. "huber" is
        quadratic up to the root mean square of the centred data.
    normalization : {"layer", "batch"} or None, default=None
        What stands before each activation.
    residual : bool, default=False
        Whether each layer between hidden layers of the same width adds to its input rather than
        replaces it, by gains that it learns and that start at zero. Networks of twenty layers then
        train as well as those of four.
    dropout : "auto" or float in [0, 1), default="auto"
        Share of hidden units zeroed in a training step. "auto" is 0.2 for tables of up to ten rows
        a feature, less for longer ones, and 0 from 40 rows a feature or 1,000 rows.
    tied_weights : bool, default=False
        Whether the decoder's linear maps are the encoder's transposed.
    init : {"pca", "random"}, default="pca"
        "pca" starts at PCA. "random" drops the linear paths and starts from random weights, as
        textbooks do; nothing then keeps it above PCA.
    weight_init : {"xavier", "he"}, default="xavier"
        Distribution of the networks' first weights.
    encoder, decoder : torch.nn.Module or None, default=None
        Modules to take the place of the built-in networks f and g: they map (n, n_features) to
        (n, n_components) and back. They are copied, never trained in place. Under ``init="pca"``
        each stands behind a gain that starts at zero, so that the start is PCA all the same.
    corruption : str or None, default=None
        Noise on what the encoder sees in training, drawn afresh for every step: "gaussian" is added
        to each cell; "masking_mean" and "masking_zero" put the column's mean, or 0, in place of a
        share of the cells, "salt_and_pepper" the column's least or greatest value, "swap" the
        value of another row, and "block" the mean in place of a run of a series or a rectangle of
        an image. The start is then the best linear denoiser, or, beyond 2,048 features, PCA.
    corruption_level : "auto", float or pair of floats, default="auto"
        Standard deviation of "gaussian" noise, in the units of X; the share of the cells, in
        [0, 1], of the others. "auto" is half the root mean square deviation of X, or 0.2. A pair is
        the least and the greatest level: one between them is drawn for every batch.
    emphasis : float in [0, 1], default=0.0
        What the loss on cells that the noise left alone loses of its weight: 1 counts corrupted
        cells only.
    image_shape : sequence of int or None, default=None
        Height, width and perhaps channels of the image that a row is, for "block"; None is a
        series.
    trim : float in [0, 0.5), default=0.0
        Share of a batch's rows, those with the largest errors, that a training step leaves out, so
        that outliers do not teach. As many of the held-out rows, those that are worst at the start,
        do not count either.
    solver : {"adamw", "adam", "sgd", "rmsprop"}, default="adamw"
        The optimiser.
    alpha : float, default=0.01
        Weight decay, at least 0.
    momentum : float in [0, 1), default=0.9
        Of "sgd" and "rmsprop".
    batch_size : "auto" or int, default="auto"
        Rows in a training step. "auto" is about three times the root of n_samples, within
        [32, 1024].
    learning_rate : {"one_cycle", "constant", "cosine", "step", "exponential"}, default="one_cycle"
        How the learning rate changes from the first step to the last.
    learning_rate_init : "auto" or float, default="auto"
        Its peak, positive. "auto" is 0.64 over the largest hidden width, within [0.001, 0.005], and
        up to twice as much where `max_iter` is less than what "auto" stands for and rows are not
        corrupted.
    max_iter : "auto" or int, default="auto"
        Epochs; 0 stays at the start. "auto" makes 300 to 4,000 steps of them, by n_samples.
    early_stopping : bool, default=True
        Whether held-out rows choose the number of epochs, none included. Otherwise the last weights
        are kept, and nothing keeps them above PCA.
    validation_fraction : float in (0, 1), default=0.1
        Share of the rows that is held out, unless `cv` asks for folds.
    cv : "auto", int, splitter, iterable or None, default="auto"
        Number of folds to hold out in turn, at least 2, or a splitter of scikit-learn's, or pairs
        of rows to learn from and rows to hold out; None holds out `validation_fraction` of the
        rows. "auto" is 5 below 1,000 rows, where a tenth is too little to choose by, and None from
        there.
    refit : bool, default=True
        Whether to train on all rows, once held-out ones have told for how long. Otherwise the
        weights that did best on held-out rows are kept, in little more than half the time;
        folds always refit.
    n_iter_no_change : int or None, default=None
        Epochs without an improvement of `tol` after which training ends. None goes on to the end of
        the schedule: the first epochs, at a high rate, often lose before they win.
    tol : float, default=1e-4
        The least improvement of the held-out score that counts; training also ends when no such
        improvement is left to make.
    checkpoint : str, path-like or None, default=None
        A file to keep the fit in while it goes on, about every ten seconds. Where its process is
        killed, the same fit, of the same parameters and data, goes on from the file and ends with
        the same bits; another is refused. A fit that ends by itself removes the file. Folds are
        trained one after the other then, where they are trained at once otherwise.
    warm_start : bool, default=False
        Whether `fit` goes on from the last fit's weights, in the last fit's architecture.
    whiten : bool, default=False
        Whether components have unit variance.
    precision : {"float32", "bfloat16"}, default="float32"
        Of the matrix products in training. "bfloat16" is faster for wide layers on CPUs with AMX
        and on GPUs.
    device : str, default="auto"
        Where to compute: "cpu", "cuda", "cuda:1" and so on; "auto" is CUDA when it is there.
    random_state : int, RandomState instance or None, default=None
        Of splits, weights, batches and dropout. An int makes fits repeatable to the bit on the same
        machine with the same number of threads.
    verbose : int, default=0
        1 prints about ten lines a fit, 2 one an epoch.

    Attributes
    ----------
    n_components_ : int
        Width of the code.
    explained_variance_ : ndarray of shape (n_components,), float64
        Output variance that each component drives, largest first, in all what the reconstructions
        of the training rows explain; the component's own variance, unless whitened.
    explained_variance_ratio_ : ndarray of shape (n_components,), float64
        The same as shares of the total variance.
    effective_dimension_ : float
        How many components carry the explained variance: from 1, where a single one does, to
        n_components, where they share it evenly (the participation ratio); 0 if there is none.
    mean_ : ndarray of shape (n_features,)
        Mean of the training rows.
    noise_variance_ : float
        Variance of each of the dimensions that the code leaves out.
    n_iter_ : int
        Epochs that the last run made; 1 where the start was all there is to do.
    best_iter_ : int
        Epochs that the weights were trained for; 0 is the start.
    loss_curve_ : list of float
        Training loss after each epoch of the last run, in nats per row, in units of the centred
        data's root mean square.
    validation_scores_ : list of float
        Share of the held-out variance (or of the loss, if that is not the squared error) explained
        after each epoch of the run, or runs, that chose their number; the first is the start's.
        What follows training in closed form is not in them.
    history_ : dict of str to ndarray of shape (n_epochs,), float64
        What happened in each epoch of the last run. "loss" is `loss_curve_`, followed by its terms
        if it has several; "validation" the error of held-out rows, in its units, in the run or runs
        that chose the number of epochs; "gradient_norm" the norm of the gradient, before long ones
        are shortened to 1, averaged over the steps; "learning_rate" that of the last step, and
        "update_ratio" this step's norm over that of all weights. Empty where nothing was trained.
    module_ : torch.nn.Module
        The fitted network, with ``encode`` and ``decode``, in X's dtype, on the CPU.
    n_samples_seen_ : int
        Rows of the fit, or of all calls of `partial_fit`.
    n_features_in_ : int
        Number of features seen in `fit`.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, if they are all strings.
    """

    n_components: int | float | None = field(default=None, kw_only=False)
    hidden_layer_sizes: Sequence[int] | str = "auto"
    decoder_layer_sizes: Sequence[int] | None = None
    architecture: str = "dense"
    activation: str = "auto"
    loss: str = "squared_error"
    normalization: str | None = None
    residual: bool = False
    dropout: float | str = "auto"
    tied_weights: bool = False
    init: str = "pca"
    weight_init: str = "xavier"
    encoder: nn.Module | None = None
    decoder: nn.Module | None = None
    corruption: str | None = None
    corruption_level: float | tuple[float, float] | str = "auto"
    emphasis: float = 0.0
    image_shape: Sequence[int] | None = None
    trim: float = 0.0
    solver: str = "adamw"
    alpha: float = 0.01
    momentum: float = 0.9
    batch_size: int | str = "auto"
    learning_rate: str = "one_cycle"
    learning_rate_init: float | str = "auto"
    max_iter: int | str = "auto"
    early_stopping: bool = True
    validation_fraction: float = 0.1
    cv: Any = "auto"
    refit: bool = True
    n_iter_no_change: int | None = None
    tol: float = 1e-4
    checkpoint: str | os.PathLike | None = None
    warm_start: bool = False
    whiten: bool = False
    precision: str = "float32"
    device: str = "auto"
    random_state: int | np.random.RandomState | None = None
    verbose: int = 0

    _layer_sizes: ClassVar[tuple[str, ...]] = ("hidden_layer_sizes", "decoder_layer_sizes")

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
            None,
        ],
        "hidden_layer_sizes": ["array-like", StrOptions({"auto"})],
        "decoder_layer_sizes": ["array-like", None],
        "architecture": [StrOptions({"dense", "transformer"})],
        "activation": [StrOptions({"auto", *ACTIVATIONS})],
        "loss": [StrOptions(set(RECONSTRUCTIONS))],
        "normalization": [StrOptions({name for name in NORMALIZATIONS if name}), None],
        "residual": ["boolean"],
        "dropout": [Interval(Real, 0, 1, closed="left"), StrOptions({"auto"})],
        "tied_weights": ["boolean"],
        "init": [StrOptions({"pca", "random"})],
        "weight_init": [StrOptions(set(WEIGHT_INITS))],
        "encoder": [nn.Module, None],
        "decoder": [nn.Module, None],
        "corruption": [StrOptions(set(CORRUPTIONS)), None],
        "corruption_level": [
            Interval(Real, 0, None, closed="left"),
            StrOptions({"auto"}),
            "array-like",
        ],
        "emphasis": [Interval(Real, 0, 1, closed="both")],
        "image_shape": ["array-like", None],
        "trim": [Interval(Real, 0, 0.5, closed="left")],
        "solver": [StrOptions(set(SOLVERS))],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [StrOptions(set(LEARNING_RATES))],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "cv": [
            Interval(Integral, 2, None, closed="left"),
            StrOptions({"auto"}),
            HasMethods(["split", "get_n_splits"]),
            "array-like",
            None,
        ],
        "refit": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "checkpoint": [str, os.PathLike, None],
        "warm_start": ["boolean"],
        "whiten": ["boolean"],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _check_architecture(self) -> None:
        """Refuse what no single range can."""
        for name in self._layer_sizes:
            widths = getattr(self, name)
            if widths is None or isinstance(widths, str):
                continue
            if not all(isinstance(width, Integral) and int(width) > 0 for width in widths):
                raise ValueError(
                    f"{name}={widths!r} must hold positive integers; leave a layer out to go "
                    "without it."
                )
        mirrored = not self.decoder_layer_sizes or tuple(self.decoder_layer_sizes) == ()
        if self.tied_weights and not (mirrored and self.encoder is self.decoder is None):
            raise ValueError(
                "tied_weights=True needs a decoder that mirrors the encoder; leave "
                "decoder_layer_sizes, encoder and decoder None, or set tied_weights=False."
            )
        if self.tied_weights and self.architecture != "dense":
            raise ValueError(
                f"tied_weights=True needs an encoder of affine maps, but architecture="
                f"{self.architecture!r}; set one of them to its default."
            )
        if self.normalization == "batch" and self.batch_size == 1:
            raise ValueError(
                "normalization='batch' needs more than one row in a batch, but batch_size=1; pass "
                "a larger batch_size or normalization='layer'."
            )

    def _check_corruption(self, n_features: int) -> None:
        """Refuse noise that cannot be."""
        level = self.corruption_level
        if not isinstance(level, str):
            levels = np.ravel(np.asarray(level, dtype=np.float64))
            limit = np.inf if self.corruption in (None, "gaussian") else 1.0
            ordered = 0 <= levels[0] <= levels[-1] <= limit if len(levels) else False
            if len(levels) > 2 or not ordered:
                raise ValueError(
                    f"corruption_level={level!r} must be a number or a pair (least, greatest) "
                    f"within [0, {limit:g}] for corruption={self.corruption!r}."
                )
        if self.image_shape is not None and np.prod(self.image_shape) != n_features:
            raise ValueError(
                f"image_shape={tuple(self.image_shape)!r} makes {np.prod(self.image_shape)} cells, "
                f"but X has {n_features} features; pass the height and width (and channels) whose "
                "product that is."
            )

    def _check_bounds(self, X: np.ndarray) -> None:
        """Refuse data that the loss is not defined on."""
        bounds = RECONSTRUCTIONS[self.loss].bounds
        if bounds is not None and (np.nanmin(X) < bounds[0] or np.nanmax(X) > bounds[1]):
            raise ValueError(
                f"loss={self.loss!r} needs X in [{bounds[0]:g}, {bounds[1]:g}], but X ranges from "
                f"{np.nanmin(X):g} to {np.nanmax(X):g}; scale it with MinMaxScaler or take "
                "loss='squared_error'."
            )
