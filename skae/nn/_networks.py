"""Dense coders: a linear path that can start as PCA, and a network beside it."""

from collections.abc import Callable, Sequence
from copy import copy, deepcopy
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.func import vjp
from torch.nn import functional as F

from skae.nn._attention import FeatureTransformer
from skae.nn._layers import LayerNorm, NoShortcut, TransposedLinear, joins, linear, masks, without

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
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
    "layer": LayerNorm,
    "batch": nn.BatchNorm1d,
}

AFFINE = (nn.Linear, TransposedLinear)
"""Layers whose slopes are their weights."""


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
        self.widths = [width for _, width in widths]
        self.joins = joins(widths, residual=residual)
        self.activation = ACTIVATIONS[activation]()
        self.dropout = dropout

    def forward(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        return self.layers[-1](self.hidden(x, rng))

    def hidden(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        """What the last layer is shown, of shape (n, width)."""
        each = zip(self.layers, self.norms, self.joins, self.masks(x, rng), strict=False)
        for parts in each:  # but the last layer
            x = self._hidden(*parts, x)
        return x

    def masks(self, x: Tensor, rng: Generator | None, layers: slice = slice(None)) -> Any:
        """What hidden units are multiplied by in a training step; see `skae.nn._layers.masks`."""
        return masks(x, self.widths[layers], self.dropout, rng)

    @property
    def is_chain(self) -> bool:
        """Whether there is nothing between affine maps but activations."""
        between = (*self.norms, *self.joins)
        return all(isinstance(part, nn.Identity | NoShortcut) for part in between) and all(
            isinstance(layer, AFFINE) for layer in self.layers
        )

    def slopes(self, x: Tensor, directions: Tensor) -> Tensor:
        """Derivatives of a chain, of shape (n, n_directions, n_out); see `Autoencoder.slopes`."""
        layers: Any = self.layers
        J = directions[None]
        for layer in layers[:-1]:
            x, pull = vjp(self.activation, layer(x))  # type: ignore[misc]
            (slope,) = pull(torch.ones_like(x))
            J = F.linear(J, layer.weight)
            # each row's own is new, and large: another copy would take longer than the numbers
            J = J.mul_(slope[:, None]) if len(J) == len(x) else J * slope[:, None]
        return F.linear(J, layers[-1].weight)

    def layer(self, i: int, x: Tensor, rng: Generator | None = None) -> Tensor:
        """What the layer of some number, with all that follows it, makes of its input."""
        if i == len(self.norms):
            return self.layers[i](x)
        (mask,) = self.masks(x, rng, slice(i, i + 1))
        return self._hidden(self.layers[i], self.norms[i], self.joins[i], mask, x)

    def _hidden(self, layer, norm, join, mask, x: Tensor) -> Tensor:
        y = self.activation(norm(layer(x)))
        return join(x, y if mask is None else y * mask)

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

    @property
    def is_chain(self) -> bool:
        """Whether it is nothing but layers in a chain, beside a linear path or not."""
        network = self.network
        chained = network is None or (isinstance(network, DenseNetwork) and network.is_chain)
        return chained and (self.path is None or isinstance(self.path, AFFINE))

    def slopes(self, x: Tensor, directions: Tensor) -> Tensor:
        """Derivatives of a chain, of shape (n, n_directions, n_out); see `Autoencoder.slopes`."""
        if self.path is None:
            return self.network.slopes(x, directions)
        J = F.linear(directions, self.path.weight)[None]
        silent = self.network is None or self.silent
        return J if silent else J + self.network.slopes(x, directions)

    @property
    def silent(self) -> bool:
        """Whether the network says nothing yet, so that the path is all there is."""
        if self.path is None or not isinstance(self.network, DenseNetwork):
            return False
        return not any(p.any() for p in self.network.layers[-1].parameters())


def without_silent_networks(module: nn.Module) -> Any:
    """The same function in fewer operations.

    Parameters
    ----------
    module : nn.Module
        With any number of coders; those below one that ``keeps_networks`` stay as they are.

    Returns
    -------
    module : nn.Module
        One with the same parameters, whose coders lack the networks that say nothing; the same if
        there are none.
    """
    if getattr(module, "keeps_networks", False):
        return module
    parts = {name: without_silent_networks(part) for name, part in module.named_children()}
    if isinstance(module, Coder) and module.silent:
        parts["network"] = None
    if all(part is getattr(module, name) for name, part in parts.items()):
        return module
    lighter = copy(module)
    lighter._modules = module._modules | parts  # else to set one would set the other's, too
    return lighter


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
    architecture: str = "dense",
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
    architecture : {"dense", "transformer"}, default="dense"
        Of the encoder's network; see `FeatureTransformer`.

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
    reads: Any = network(down, encoder, gaps)
    if architecture == "transformer" and encoder is None:
        reads = FeatureTransformer(
            n_features,
            n_outputs,
            depth=len(hidden_layer_sizes),
            dropout=dropout,
            rng=rng,
            silent=linear_path,
        )
    return Coder(path_down, reads), Coder(path_up, network(up, decoder))


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
