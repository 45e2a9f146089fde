"""The recurrent autoencoder: rows are series."""

from dataclasses import replace
from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import StrOptions

from skae.autoencoders._bottleneck import BottleneckAutoencoder
from skae.autoencoders._documentation import variant
from skae.autoencoders._sizes import auto
from skae.nn import RECURRENCES, SeriesCanonical, recurrent_coders
from skae.nn import RecurrentAutoencoder as RecurrentModule

LEARNING_RATE = 0.01
"""Peak that suits recurrent layers of a few dozen states."""


@variant
class RecurrentAutoencoder(BottleneckAutoencoder):
    r"""Autoencoder of series, whose networks go through them step by step.

    .. math:: h_t = r(h_{t-1}, x_t), \quad z = A x + a + W h_T; \qquad
        s_t = r'(s_{t-1}, V z + v), \quad \hat x_t = B_t z + b_t + U s_t

    The encoder's state after the last step is read into the code. The decoder is given the code at
    every step, and never the series: what it has written before, or should have, it does not see,
    in training no more than after it (there is no teacher forcing). The linear paths beside the
    networks start as PCA, where the networks are silent, as in
    :class:`~skae.AutoencoderTransformer`.

    A row is a series of steps one after another, each of all channels, as ``series.reshape(n, -1)``
    has it. A shorter series ends in NaN: its network stops at the last step with a cell that is
    known, and no error is counted beyond. The linear path, which has a weight for every cell, takes
    what is missing for what it is expected to be given the cells that are known, as it does for
    gaps on the way.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int, default=(32,)
        Widths of the states of the encoder's layers, one on another; at least one.
    decoder_layer_sizes : sequence of int or None, default=None
        Widths of the states of the decoder's layers; None mirrors the encoder's.
    activation : str, default="auto"
        What follows the decoder's map of the code: "relu", "leaky_relu", "elu", "selu", "gelu",
        "silu", "tanh", "logistic" or "identity". "auto" is "relu", or, below 1,000 rows, "silu".
        States have activations of their own.
    normalization : {"layer", "batch"} or None, default=None
        What stands before it, and behind the encoder's last state.
    dropout : "auto" or float in [0, 1), default=0.0
        Share of the states zeroed in a training step; weights that are the same at every step need
        little of it. "auto" is 0.2 for tables of up to ten rows a feature, less for longer ones,
        and 0 from 40 rows a feature or 1,000 rows.
    tied_weights : bool, default=False
        Whether the decoder's path and its map of the code are the encoder's transposed; recurrent
        layers have no transpose.
    learning_rate_init : "auto" or float, default="auto"
        Peak of the learning rate, positive. "auto" is 0.01.
    sequence_shape : sequence of two int or None, default=None
        Steps and channels of the series that a row is; None is a channel of as many steps as there
        are features. "block" noise wants ``image_shape=(1, steps, channels)``, too.
    recurrence : {"gru", "lstm"}, default="lstm"
        Kind of the layers. A GRU has three quarters of the weights of an LSTM; on CPUs torch trains
        an LSTM in half the time.

    See Also
    --------
    AutoencoderTransformer : Quicker by far, and often as good where series are aligned.
    ConvolutionalAutoencoder : For long series, whose steps it sees all at once.

    Notes
    -----
    Scores of steps are those of their cells: ``reconstruction_error(X, per_cell=True)`` and
    ``explain(X)``, reshaped to ``(n, steps, channels)``.

    `explain` completes a shorter series before it reads it. So does what `fit` tells of its rows:
    components are centred and uncorrelated over whole series.

    References
    ----------
    .. [1] Srivastava, Mansimov & Salakhutdinov (2015). Unsupervised learning of video
       representations using LSTMs. ICML.
    .. [2] Cho et al. (2014). Learning phrase representations using RNN encoder-decoder for
       statistical machine translation. EMNLP.

    Examples
    --------
    >>> import numpy as np
    >>> from skae import RecurrentAutoencoder
    >>> rng = np.random.default_rng(0)
    >>> start = rng.uniform(0, 10, size=(150, 1))
    >>> X = np.sin(start + np.arange(20)) + 0.1 * rng.standard_normal((150, 20))
    >>> X[:50, 15:] = np.nan
    >>> model = RecurrentAutoencoder(2, cv=None, max_iter=10, random_state=0).fit(X)
    >>> model.transform(X).shape
    (150, 2)
    >>> steps = model.reconstruction_error(X, per_cell=True).reshape(150, 20, 1)
    >>> bool(np.nanmean(steps) < 0.2), bool(np.isnan(steps[0, 15:]).all())
    (True, True)
    """

    hidden_layer_sizes: Any = (32,)
    dropout: Any = 0.0
    sequence_shape: Any = None
    recurrence: str = "lstm"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BottleneckAutoencoder._parameter_constraints,
        "hidden_layer_sizes": ["array-like"],
        "sequence_shape": ["array-like", None],
        "recurrence": [StrOptions(set(RECURRENCES))],
    }

    _module = RecurrentModule
    _canonical = SeriesCanonical
    _coders = staticmethod(recurrent_coders)

    def _check_architecture(self):
        super()._check_architecture()
        for name in ("hidden_layer_sizes", "decoder_layer_sizes"):
            widths = getattr(self, name)
            if widths is not None and len(widths) == 0:
                raise ValueError(
                    f"{name}={widths!r} must hold at least one width: that of a state; for linear "
                    "paths alone take AutoencoderTransformer(hidden_layer_sizes=())."
                )
        shape = self.sequence_shape
        if shape is not None and not (
            len(shape) == 2 and all(isinstance(n, Integral) and int(n) > 0 for n in shape)
        ):
            raise ValueError(
                f"sequence_shape={tuple(shape)!r} must be two positive integers, steps and "
                "channels; pass (n_features, 1) or None for a single channel."
            )

    def _check_corruption(self, n_features):
        super()._check_corruption(n_features)
        n_steps, n_channels = self._shape(n_features)
        if n_steps * n_channels != n_features:
            raise ValueError(
                f"sequence_shape=({n_steps}, {n_channels}) makes {n_steps * n_channels} cells, but "
                f"X has {n_features} features; pass the steps and channels whose product that is."
            )

    def _shape(self, n_features: int) -> tuple[int, int]:
        """Steps and channels of a row."""
        whole = (n_features, 1)
        n_steps, n_channels = whole if self.sequence_shape is None else self.sequence_shape
        return int(n_steps), int(n_channels)

    def _trainer(self, shape):
        # states are narrow, and the same weights move at every step
        return replace(
            super()._trainer(shape),
            learning_rate_init=auto(self.learning_rate_init, lambda: LEARNING_RATE),
        )

    def _architecture(self, shape, noise, n_components):
        architecture = super()._architecture(shape, noise, n_components)
        architecture["coders"] |= {
            "sequence_shape": self._shape(shape[1]),
            "recurrence": self.recurrence,
        }
        return architecture
