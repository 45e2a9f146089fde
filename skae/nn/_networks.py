"""Dense coders: a linear path that can start as PCA, and a network beside it."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F
from torch.nn.utils import skip_init

ACTIVATIONS = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "selu": nn.SELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "tanh": nn.Tanh,
    "logistic": nn.Sigmoid,
    "identity": nn.Identity,
}

NORMALIZATIONS: dict[str | None, Callable] = {
    None: lambda width, device: nn.Identity(),
    "layer": nn.LayerNorm,
    "batch": nn.BatchNorm1d,
}

WEIGHT_INITS: dict[str, Callable] = {
    "xavier": nn.init.xavier_uniform_,
    "he": nn.init.kaiming_uniform_,
}


class GapLinear(nn.Linear):
    r"""An affine map of rows with gaps, which is told where they are.

    .. math:: W \bar x + U m + b, \qquad m_j = [x_j \text{ is NaN}], \quad
        \bar x_j = (1 - m_j)\, x_j

    Parameters
    ----------
    n_in, n_out, device, dtype
        As of `nn.Linear`.
    """

    def __init__(self, n_in: int, n_out: int, device: Any = None, dtype: Any = None):
        super().__init__(n_in, n_out, device=device, dtype=dtype)
        self.told = nn.Parameter(torch.zeros_like(self.weight))  # U

    def forward(self, x: Tensor) -> Tensor:
        gaps = x.isnan()
        return super().forward(without(gaps, x)) + F.linear(gaps.to(x.dtype), self.told)


def without(gaps: Tensor, x: Tensor) -> Tensor:
    """Rows with 0 in the place of some cells."""
    return torch.where(gaps, torch.zeros_like(x), x)


def linear(
    n_in: int, n_out: int, *, weight_init: str = "xavier", rng: Generator, gaps: bool = False
) -> nn.Linear:
    """An affine map with weights from `rng`, and from nothing else, and no offset.

    Parameters
    ----------
    n_in, n_out : int
        Widths.
    weight_init : {"xavier", "he"}, default="xavier"
        Uniform weights after Glorot & Bengio (2010) or He et al. (2015).
    rng : torch.Generator
        Where the weights come from.
    gaps : bool, default=False
        Whether it takes rows with gaps, and learns what they mean, from nothing.

    Returns
    -------
    layer : nn.Linear
        In float64, on the CPU.
    """
    kind = GapLinear if gaps else nn.Linear
    layer = skip_init(kind, n_in, n_out, dtype=torch.float64, device="cpu")
    if isinstance(layer, GapLinear):
        nn.init.zeros_(layer.told)
    WEIGHT_INITS[weight_init](layer.weight, generator=rng)
    nn.init.zeros_(layer.bias)
    return layer


class TransposedLinear(nn.Module):
    """The transpose of another layer's map, with an offset of its own: a tied layer.

    Parameters
    ----------
    layer : nn.Linear
        The layer whose weights are shared.
    """

    def __init__(self, layer: nn.Linear):
        super().__init__()
        self.layer = layer
        self.in_features, self.out_features = layer.out_features, layer.in_features
        self.bias = nn.Parameter(layer.weight.new_zeros(layer.in_features))

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.layer.weight.T, self.bias)


def dropout(x: Tensor, rate: float, rng: Generator | None) -> Tensor:
    """Zero a share of the cells and raise the rest, so that the mean stays.

    Parameters
    ----------
    x : Tensor
        Activations.
    rate : float in [0, 1)
        Share of cells that become zero.
    rng : torch.Generator or None
        Where the mask comes from; None leaves x as it is, as inference does.

    Returns
    -------
    x : Tensor
        Shaped like x.
    """
    if rng is None or rate == 0:
        return x
    return x * torch.empty_like(x).bernoulli_(1 - rate, generator=rng).div_(1 - rate)


class Shortcut(nn.Module):
    r"""Adds what a layer makes of its input to the input, :math:`h + \gamma \odot y`.

    The gains start at zero, so that a network is as shallow as it can be at first, whatever its
    depth, and each layer learns how much to add ([1]_, with a gain for each unit [2]_).

    Parameters
    ----------
    width : int
        Of the layer's input and output.

    References
    ----------
    .. [1] Bachlechner et al. (2021). ReZero is all you need: fast convergence at large depth. UAI.
    .. [2] Touvron et al. (2021). Going deeper with image transformers, section 2. ICCV.
    """

    def __init__(self, width: int):
        super().__init__()
        self.gains = nn.Parameter(torch.zeros(width, dtype=torch.float64, device="cpu"))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return x + self.gains * y


class NoShortcut(nn.Module):
    """Goes on with what the layer has made, as plain networks do."""

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return y


def joins(widths: Sequence[tuple[int, int]], *, residual: bool) -> nn.ModuleList:
    """What stands behind each layer: a shortcut past those between hidden units as many.

    Parameters
    ----------
    widths : sequence of pairs of int
        Of each layer's input and output, first to last.
    residual : bool
        Whether there are shortcuts at all.

    Returns
    -------
    joins : nn.ModuleList
        Of `Shortcut` and `NoShortcut`.
    """
    return nn.ModuleList(
        Shortcut(width) if residual and i > 0 and width == before else NoShortcut()
        for i, (before, width) in enumerate(widths)
    )


class DenseNetwork(nn.Module):
    """Affine layers with normalisation, activation and dropout between them.

    Parameters
    ----------
    layers : sequence of modules
        The affine maps, first to last; nothing follows the last one.
    activation : key of ``ACTIVATIONS``
        What follows the others.
    normalization : key of ``NORMALIZATIONS``
        What stands between an affine map and its activation.
    dropout : float in [0, 1)
        Share of hidden units that are zeroed in a training step.
    residual : bool, default=False
        Whether there is a `Shortcut` past each layer between hidden ones of the same width.
    """

    def __init__(
        self,
        layers: Sequence[Any],
        *,
        activation: str,
        normalization: str | None,
        dropout: float,
        residual: bool = False,
    ):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.norms = nn.ModuleList(
            NORMALIZATIONS[normalization](layer.out_features, device="cpu") for layer in layers[:-1]
        ).double()
        widths = [(layer.in_features, layer.out_features) for layer in layers[:-1]]
        self.joins = joins(widths, residual=residual)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = dropout

    def forward(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        for i in range(len(self.layers)):
            x = self.layer(i, x, rng)
        return x

    def layer(self, i: int, x: Tensor, rng: Generator | None = None) -> Tensor:
        """What the layer of some number, with all that follows it, makes of its input."""
        y = self.layers[i](x)
        if i == len(self.norms):
            return y
        return self.joins[i](x, dropout(self.activation(self.norms[i](y)), self.dropout, rng))

    def parameters_of(self, i: int) -> list[nn.Parameter]:
        """All that moves in the layer of some number."""
        parts = (self.layers, self.norms, self.joins)
        return [p for part in parts for one in part[i : i + 1] for p in one.parameters()]


class ForeignNetwork(nn.Module):
    """A module of the user's, optionally behind a gain that starts at zero.

    The gain is what lets any module stand beside a linear path that starts as PCA: at first it
    says nothing, and it learns how much to say ("ReZero", Bachlechner et al. 2021).

    Parameters
    ----------
    module : nn.Module
        Maps (n, n_in) to (n, n_out).
    gated : bool
        Whether there is a gain.
    gaps : bool, default=False
        Whether there may be NaN in its input; the module is shown 0 instead.
    """

    def __init__(self, module: nn.Module, *, gated: bool, gaps: bool = False):
        super().__init__()
        self.module, self.gaps = module, gaps
        self.gain = (
            nn.Parameter(torch.zeros((), dtype=torch.float64, device="cpu")) if gated else None
        )

    def forward(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        output = self.module(without(x.isnan(), x) if self.gaps else x)
        return output if self.gain is None else self.gain * output


class Coder(nn.Module):
    r"""The sum of a linear path and a network, :math:`A x + a + f(x)`; either may be missing.

    Parameters
    ----------
    path : nn.Linear, TransposedLinear or None
        The linear path :math:`A x + a`.
    network : DenseNetwork, ForeignNetwork or None
        The nonlinear path :math:`f`.
    """

    path: Any  # nn.Module declares its attributes as tensors or modules, never as None
    network: Any

    def __init__(self, path: nn.Module | None, network: nn.Module | None):
        super().__init__()
        self.path, self.network = path, network

    def forward(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        if self.network is None:
            return self.path(x)
        if self.path is None:
            return self.network(x, rng)
        return self.path(x) + self.network(x, rng)


def coders(
    n_features: int,
    n_components: int,
    *,
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
    n_outputs: int | None = None,
    residual: bool = False,
    gaps: bool = False,
) -> tuple[Coder, Coder]:
    """An encoder and a decoder for tables.

    Parameters
    ----------
    n_features, n_components : int
        Widths of the data and of the code.
    hidden_layer_sizes, decoder_layer_sizes : sequence of int
        Hidden widths of the encoder and of the decoder, in the order that data meet them.
    activation, normalization, dropout, residual
        See `DenseNetwork`.
    weight_init : {"xavier", "he"}
        See `linear`.
    tied_weights : bool
        Whether the decoder's maps are the encoder's transposed.
    linear_path : bool
        Whether there is a linear path; the networks beside it are silent at the start.
    custom : tuple of two modules or None
        A module of the user's in the place of the encoder's network, of the decoder's, or of both;
        it is copied.
    rng : torch.Generator
        Where the weights come from.
    n_outputs : int or None
        Width of the encoder's output, where it says more than a code; None is `n_components`.
    gaps : bool, default=False
        Whether the encoder takes rows with NaN in them, for cells that it is not shown.

    Returns
    -------
    encoder, decoder : Coder
        In float64, on the CPU.
    """

    def layers(widths, gaps=False):
        chain = [
            linear(*pair, weight_init=weight_init, rng=rng, gaps=gaps and i == 0)
            for i, pair in enumerate(pairwise(widths))
        ]
        if linear_path:
            nn.init.zeros_(chain[-1].weight)
        return chain

    def network(layers, module, gaps=False):
        if module is not None:
            return ForeignNetwork(deepcopy(module).double().cpu(), gated=linear_path, gaps=gaps)
        if linear_path and len(layers) == 1:
            return None  # one more affine map would only say what the linear path says
        return DenseNetwork(
            layers,
            activation=activation,
            normalization=normalization,
            dropout=dropout,
            residual=residual,
        )

    n_outputs = n_outputs or n_components
    down = layers([n_features, *hidden_layer_sizes, n_outputs], gaps)
    path_down = linear(n_features, n_outputs, rng=rng, gaps=gaps) if linear_path else None
    if tied_weights:
        up: list[Any] = [TransposedLinear(layer) for layer in reversed(down)]
        path_up: Any = TransposedLinear(path_down) if path_down is not None else None
    else:
        up = layers([n_components, *decoder_layer_sizes, n_features])
        path_up = linear(n_components, n_features, rng=rng) if linear_path else None
    encoder, decoder = custom
    return Coder(path_down, network(down, encoder, gaps)), Coder(path_up, network(up, decoder))


def beside_linear_paths(
    networks: Sequence[nn.Module],
    widths: tuple[int, int],
    *,
    custom: Sequence[nn.Module | None],
    tied_weights: bool,
    linear_path: bool,
    rng: Generator,
) -> tuple[Coder, Coder]:
    """Networks of any kind, or a user's in their places, each beside a linear path.

    Parameters
    ----------
    networks : sequence of two modules
        The encoder's and the decoder's.
    widths : tuple of two int
        Of the data and of the code.
    custom : sequence of two modules or None
        What to take in their places; it is copied.
    tied_weights : bool
        Whether the decoder's path is the transpose of the encoder's.
    linear_path : bool
        Whether there are paths at all.
    rng : torch.Generator
        Where their weights come from.

    Returns
    -------
    encoder, decoder : Coder
        In float64, on the CPU.
    """
    paths: list[nn.Module | None] = [None, None]
    if linear_path:
        down = linear(*widths, rng=rng)
        paths = [down, TransposedLinear(down) if tied_weights else linear(*widths[::-1], rng=rng)]
    found = [
        network if own is None else ForeignNetwork(deepcopy(own).double().cpu(), gated=linear_path)
        for network, own in zip(networks, custom, strict=True)
    ]
    return Coder(paths[0], found[0]), Coder(paths[1], found[1])
