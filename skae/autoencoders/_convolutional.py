"""The convolutional autoencoder: rows are images, or signals."""

from numbers import Integral
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from skae.autoencoders._bottleneck import BottleneckAutoencoder
from skae.autoencoders._documentation import variant
from skae.autoencoders._parameters import Parameters
from skae.nn import DOWNSAMPLINGS, UPSAMPLINGS, convolutional_coders


@variant
class ConvolutionalAutoencoder(BottleneckAutoencoder):
    r"""Autoencoder of images or signals, whose networks know which cells are neighbours.

    .. math:: z = A x + a + f(x), \qquad \hat x = B z + b + g(z), \qquad
        f = W \circ c_L \circ \dots \circ c_1

    Each layer :math:`c_l` of the encoder's network sees a few neighbouring cells at a time, with
    the same weights at every place, and makes `channels` maps of half the size; what the last maps
    hold is read into the code by W. The decoder's network g goes the same way back. A shift of the
    image by the stride shifts the maps by a cell, away from the border. The linear paths beside the
    networks start as PCA, where the networks are silent, as in
    :class:`~skae.AutoencoderTransformer`.

    A row is an image, one line after another, channels last, as ``images.reshape(n, -1)`` has it.
    Of height and width any number will do: a half is rounded up.

    Parameters
    ----------
    hidden_layer_sizes : "auto" or sequence of int, default=()
        Widths of dense layers between the last maps and the code.
    decoder_layer_sizes : sequence of int or None, default=None
        Widths of dense layers between the code and the decoder's first maps; None mirrors the
        encoder's.
    dropout : "auto" or float in [0, 1), default=0.0
        Share of hidden cells zeroed in a training step; weights that are the same at every place
        need little of it. "auto" is 0.2 for tables of up to ten rows a feature, less for longer
        ones, and 0 from 40 rows a feature or 1,000 rows.
    tied_weights : bool, default=False
        Whether the decoder's kernels and linear maps are the encoder's transposed.
    activation : str, default="silu"
        What follows each layer: "relu", "leaky_relu", "elu", "selu", "gelu", "silu", "tanh",
        "logistic" or "identity". "auto" is "relu", or, below 1,000 rows, "silu".
    normalization : {"layer", "batch"} or None, default=None
        What stands before each activation: over the channels of each place, or over rows and
        places of each channel.
    image_shape : sequence of int or None, default=None
        Height, width and perhaps channels of the image that a row is; None is a signal of one
        channel. A signal of c channels is ``(1, length, c)``.
    channels : sequence of int, default=(16, 32)
        Maps that each layer of the encoder makes, first to last.
    kernel_size : int, default=3
        Side of the kernels, odd.
    downsampling : {"stride", "pool"}, default="stride"
        How layers halve the size: by leaving out every other place, or by keeping the largest of
        two by two.
    upsampling : {"transpose", "nearest"}, default="transpose"
        How the decoder's layers double it: by transposed convolutions, or by repeating cells before
        a convolution, which leaves no chequered patterns.

    See Also
    --------
    AutoencoderTransformer : Does not know neighbours, and learns from fewer rows.
    DenoisingAutoencoder : Cleans images, and takes any module as encoder and decoder.

    Notes
    -----
    There are no skip connections as in a U-Net. They lead around the code: rows could not be given
    back from what `transform` says of them.

    References
    ----------
    .. [1] Masci, Meier, Ciresan & Schmidhuber (2011). Stacked convolutional auto-encoders for
       hierarchical feature extraction. ICANN.
    .. [2] Odena, Dumoulin & Olah (2016). Deconvolution and checkerboard artifacts. Distill.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skae import AutoencoderTransformer, ConvolutionalAutoencoder
    >>> X = load_digits().data
    >>> model = ConvolutionalAutoencoder(8, image_shape=(8, 8), max_iter=10, refit=False,
    ...                                  random_state=0)
    >>> Z = model.fit(X[:1500]).transform(X[1500:])
    >>> Z.shape
    (297, 8)
    >>> pca = AutoencoderTransformer(8, max_iter=0).fit(X[:1500])
    >>> errors = [m.reconstruction_error(X[1500:]).mean() for m in (model, pca)]
    >>> bool(errors[0] < 0.9 * errors[1])
    True
    """

    hidden_layer_sizes: Any = ()
    activation: str = "silu"
    dropout: Any = 0.0
    channels: Any = (16, 32)
    kernel_size: int = 3
    downsampling: str = "stride"
    upsampling: str = "transpose"

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BottleneckAutoencoder._parameter_constraints,
        "channels": ["array-like"],
        "kernel_size": [Interval(Integral, 1, None, closed="left")],
        "downsampling": [StrOptions(set(DOWNSAMPLINGS))],
        "upsampling": [StrOptions(set(UPSAMPLINGS))],
    }

    _coders = staticmethod(convolutional_coders)
    _layer_sizes = (*Parameters._layer_sizes, "channels")

    def _check_architecture(self):
        super()._check_architecture()
        if self.kernel_size % 2 == 0:
            raise ValueError(
                f"kernel_size={self.kernel_size} must be odd, so that a kernel has a middle; pass "
                f"{self.kernel_size - 1} or {self.kernel_size + 1}."
            )
        shape = self.image_shape
        if shape is not None and not (
            len(shape) in (2, 3) and all(isinstance(n, Integral) and int(n) > 0 for n in shape)
        ):
            raise ValueError(
                f"image_shape={tuple(shape)!r} must be two or three positive integers: height, "
                "width and perhaps channels; pass (1, length) for a signal, or None."
            )

    def _architecture(self, shape, noise, n_components):
        architecture = super()._architecture(shape, noise, n_components)
        image_shape = (1, shape[1]) if self.image_shape is None else self.image_shape
        architecture["coders"] |= {
            "image_shape": tuple(int(side) for side in image_shape),
            "channels": tuple(int(n_channels) for n_channels in self.channels),
            "kernel_size": int(self.kernel_size),
            "downsampling": self.downsampling,
            "upsampling": self.upsampling,
        }
        return architecture
