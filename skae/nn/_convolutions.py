"""Coders for images and signals: convolutions beside a linear path that can start as PCA."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skae.nn._layers import WEIGHT_INITS, TransposedLinear, linear
from skae.nn._maps import Maps, convolved, enlarged, transposed
from skae.nn._networks import NORMALIZATIONS, Coder, DenseNetwork, beside_linear_paths

DOWNSAMPLINGS = ("stride", "pool")
UPSAMPLINGS = ("transpose", "nearest")


class Convolution(nn.Module):
    """A convolution that halves the size of maps, as an affine map of rows.

    Parameters
    ----------
    maps : Maps
        What comes in.
    n_channels : int
        How many maps go out.
    kernel_size : int
        Side of the kernel, odd. Beyond the border all is zero.
    downsampling : {"stride", "pool"}
        Whether every other place is left out, or the largest of two by two goes on.
    weight_init : key of ``WEIGHT_INITS``
        Distribution of the first weights.
    rng : torch.Generator
        Where they come from.
    """

    def __init__(
        self,
        maps: Maps,
        n_channels: int,
        kernel_size: int,
        *,
        downsampling: str,
        weight_init: str,
        rng: Generator,
    ):
        super().__init__()
        self.maps_in, self.maps_out = maps, maps.halved(n_channels)
        self.in_features, self.out_features = maps.n_cells, self.maps_out.n_cells
        self.n_channels, self.pools = n_channels, downsampling == "pool"
        self.weight = weights(maps, n_channels, kernel_size, weight_init, rng)
        self.bias = offsets(n_channels)

    def forward(self, x: Tensor) -> Tensor:
        stride = self.maps_in.stride
        maps = convolved(
            x.unflatten(1, self.maps_in), self.weight, (1, 1) if self.pools else stride
        )
        if self.pools:
            maps = F.max_pool2d(maps.permute(0, 3, 1, 2), stride, ceil_mode=True)
            maps = maps.permute(0, 2, 3, 1)
        return (maps + self.bias).flatten(1)


class TransposedConvolution(nn.Module):
    """The way back through a convolution: to maps of twice the size.

    Parameters
    ----------
    layer : Convolution
        Whose input is what goes out.
    kernel_size : int
        As of the convolution.
    upsampling : {"transpose", "nearest"}
        Whether places that were left out are zero before the kernel comes, which with the
        convolution's own weights is its transpose, or hold what their neighbour holds.
    tied : bool
        Whether the weights are the convolution's.
    weight_init : key of ``WEIGHT_INITS``
        Distribution of the first weights, if not.
    rng : torch.Generator
        Where they come from.
    """

    layer: Convolution | None
    weight: Any

    def __init__(
        self,
        layer: Convolution,
        kernel_size: int,
        *,
        upsampling: str,
        tied: bool,
        weight_init: str,
        rng: Generator,
    ):
        super().__init__()
        self.maps_in, self.maps_out = layer.maps_out, layer.maps_in
        self.in_features, self.out_features = layer.out_features, layer.in_features
        self.n_channels, self.repeats = self.maps_out.n_channels, upsampling == "nearest"
        self.layer = layer if tied else None
        if not tied:
            own = weights(self.maps_out, layer.n_channels, kernel_size, weight_init, rng)
            self.weight = own
        self.bias = offsets(self.n_channels)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight if self.layer is None else self.layer.weight
        maps = x.unflatten(1, self.maps_in)
        stride = self.maps_out.stride
        if self.repeats:
            maps, stride = enlarged(maps, self.maps_out), (1, 1)
        maps = transposed(maps, weight, self.maps_out, stride)
        return (maps + self.bias).flatten(1)


def weights(
    maps: Maps, n_channels: int, kernel_size: int, weight_init: str, rng: Generator
) -> nn.Parameter:
    """Kernels of shape (n_channels, maps.n_channels, height, width), in float64, on the CPU."""
    shape = n_channels, maps.n_channels, *maps.kernel(kernel_size)
    kernels = nn.Parameter(torch.empty(shape, dtype=torch.float64, device="cpu"))
    WEIGHT_INITS[weight_init](kernels, generator=rng)
    return kernels


def offsets(n_channels: int) -> nn.Parameter:
    """Zeros, one a channel, in float64, on the CPU."""
    return nn.Parameter(torch.zeros(n_channels, dtype=torch.float64, device="cpu"))


class PerChannel(nn.Module):
    """A normalisation that has one scale and one offset a channel, not one a cell.

    Parameters
    ----------
    norm : nn.Module
        Of rows of `n_channels` numbers.
    n_channels : int
        How many.
    """

    def __init__(self, norm: nn.Module, n_channels: int):
        super().__init__()
        self.norm, self.n_channels = norm, n_channels

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x.reshape(-1, self.n_channels)).reshape(x.shape)


class ConvolutionalNetwork(DenseNetwork):
    """Convolutions and affine layers, with normalisation, activation and dropout between them.

    Parameters
    ----------
    layers, activation, normalization, dropout
        See `DenseNetwork`; normalisation is the same at all places of a map.
    """

    def __init__(self, layers: Sequence[Any], *, normalization: str | None, **settings: Any):
        super().__init__(layers, normalization=None, **settings)
        widths = [getattr(layer, "n_channels", layer.out_features) for layer in layers[:-1]]
        self.norms = nn.ModuleList(
            PerChannel(NORMALIZATIONS[normalization](width, device="cpu"), width)
            for width in widths
        ).double()


def convolutional_coders(
    n_features: int,
    n_components: int,
    *,
    image_shape: Sequence[int] | None,
    channels: Sequence[int],
    kernel_size: int,
    downsampling: str,
    upsampling: str,
    hidden_layer_sizes: Sequence[int],
    decoder_layer_sizes: Sequence[int],
    activation: str,
    normalization: str | None,
    dropout: float,
    weight_init: str,
    tied_weights: bool,
    linear_path: bool,
    custom: tuple[nn.Module | None, nn.Module | None],
    rng: Generator,
    residual: bool = False,
) -> tuple[Coder, Coder]:
    """An encoder and a decoder for images and signals.

    Parameters
    ----------
    n_features, n_components : int
        Widths of the data and of the code.
    image_shape : sequence of two or three int, or None
        Height, width and perhaps channels of the image that a row is; None is a signal.
    channels : sequence of int
        Maps that each convolution of the encoder makes, of half the size of those before.
    kernel_size, downsampling, upsampling
        See `Convolution` and `TransposedConvolution`.
    hidden_layer_sizes, decoder_layer_sizes : sequence of int
        Widths of dense layers between the last maps and the code, and of those after it.
    activation, normalization, dropout, weight_init, tied_weights, linear_path, custom
        See `skae.nn.coders`.
    rng, residual
        See there, too.

    Returns
    -------
    encoder, decoder : Coder
        In float64, on the CPU.
    """
    drawn: dict[str, Any] = {"weight_init": weight_init, "rng": rng}
    maps = Maps(*[*(image_shape or (1, n_features)), 1][:3])
    convolutions: list[Convolution] = []
    for n_channels in channels:
        convolutions.append(
            Convolution(maps, n_channels, kernel_size, downsampling=downsampling, **drawn)
        )
        maps = convolutions[-1].maps_out

    def dense(widths: Sequence[int]) -> list[Any]:
        return [linear(*pair, **drawn) for pair in pairwise(widths)]

    dense_down = dense([maps.n_cells, *hidden_layer_sizes, n_components])
    if tied_weights:
        dense_up: list[Any] = [TransposedLinear(layer) for layer in reversed(dense_down)]
    else:
        dense_up = dense([n_components, *decoder_layer_sizes, maps.n_cells])
    ways_back: dict[str, Any] = {"upsampling": upsampling, "tied": tied_weights, **drawn}
    back = [
        TransposedConvolution(layer, kernel_size, **ways_back) for layer in reversed(convolutions)
    ]
    down, up = [*convolutions, *dense_down], [*dense_up, *back]
    if linear_path:  # the networks are silent at the start
        nn.init.zeros_(down[-1].weight)
        if not tied_weights:
            nn.init.zeros_(up[-1].weight)
    networks = [
        ConvolutionalNetwork(
            layers,
            activation=activation,
            normalization=normalization,
            dropout=dropout,
            residual=residual,
        )
        for layers in (down, up)
    ]
    return beside_linear_paths(
        networks,
        (n_features, n_components),
        custom=custom,
        tied_weights=tied_weights,
        linear_path=linear_path,
        rng=rng,
    )
