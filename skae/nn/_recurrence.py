"""Coders for series: recurrent layers beside a linear path that can start as PCA."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skae.nn._canonical import Canonical
from skae.nn._layers import WEIGHT_INITS, TransposedLinear, dropout, joins, linear
from skae.nn._module import Autoencoder
from skae.nn._networks import ACTIVATIONS, NORMALIZATIONS, Coder, beside_linear_paths

RECURRENCES = {"gru": nn.GRU, "lstm": nn.LSTM}


def recurrent_layer(
    kind: str, n_in: int, n_out: int, *, weight_init: str, rng: Generator
) -> nn.Module:
    """A recurrent layer with weights from `rng`, and from nothing else.

    Parameters
    ----------
    kind : key of ``RECURRENCES``
        Which.
    n_in, n_out : int
        Channels that come in, and width of the state.
    weight_init : key of ``WEIGHT_INITS``
        Distribution of the weights of what comes in. Those of the state are orthogonal.
    rng : torch.Generator
        Where the weights come from.

    Returns
    -------
    layer : nn.GRU or nn.LSTM
        In float64, on the CPU, rows first. Offsets are zero, but for 1 in an LSTM's forget gate.

    References
    ----------
    .. [1] Jozefowicz, Zaremba & Sutskever (2015). An empirical exploration of recurrent network
       architectures. ICML.
    """
    shape: dict[str, Any] = {"batch_first": True, "dtype": torch.float64, "device": "meta"}
    layer: Any = RECURRENCES[kind](n_in, n_out, **shape).to_empty(device="cpu")
    for gate in layer.weight_ih_l0.detach().split(n_out):
        WEIGHT_INITS[weight_init](gate, generator=rng)
    for gate in layer.weight_hh_l0.detach().split(n_out):
        nn.init.orthogonal_(gate, generator=rng)
    nn.init.zeros_(layer.bias_ih_l0)
    nn.init.zeros_(layer.bias_hh_l0)
    if kind == "lstm":
        nn.init.ones_(layer.bias_ih_l0.detach()[n_out : 2 * n_out])
    return layer


class Recurrence(nn.Module):
    """Recurrent layers, one on another, with dropout of what they say.

    Parameters
    ----------
    layers : sequence of nn.GRU or nn.LSTM
        First to last.
    dropout : float in [0, 1)
        Share of the states that are zeroed for the next layer in a training step.
    residual : bool, default=False
        Whether there is a `Shortcut` past each layer that is as wide as the one before.
    """

    def __init__(self, layers: Sequence[Any], dropout: float, *, residual: bool = False):
        super().__init__()
        self.layers, self.dropout = nn.ModuleList(layers), dropout
        widths = [(layer.input_size, layer.hidden_size) for layer in layers]
        self.joins = joins(widths, residual=residual)

    def forward(self, steps: Tensor, rng: Generator | None = None) -> Tensor:
        """States of shape (n, n_steps, width), from inputs of shape (n, n_steps, n_channels)."""
        for layer, join in zip(self.layers, self.joins, strict=True):
            read = unrolled if torch.compiler.is_exporting() else nn.Module.__call__
            steps = join(steps, dropout(read(layer, steps)[0], self.dropout, rng))
        return steps


def unrolled(layer: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """What a layer does, in products: onnxruntime has recurrences in float32 alone.

    Parameters
    ----------
    layer : nn.GRU or nn.LSTM
        Of one layer, rows first.
    x : Tensor of shape (n, n_steps, n_channels)
        What comes in.

    Returns
    -------
    states : Tensor of shape (n, n_steps, width)
        All of them.
    last : Tensor of shape (n, width)
        The last one.
    """
    read = F.linear(x, layer.weight_ih_l0, layer.bias_ih_l0)
    state = cell = x.new_zeros(x.shape[0], layer.hidden_size)
    states = []
    for seen in read.unbind(dim=1):
        held = F.linear(state, layer.weight_hh_l0, layer.bias_hh_l0)
        if isinstance(layer, nn.GRU):
            (reset, update, new), (reset_, update_, new_) = seen.chunk(3, 1), held.chunk(3, 1)
            new = (new + (reset + reset_).sigmoid() * new_).tanh()
            update = (update + update_).sigmoid()
            state = new + update * (state - new)
        else:
            write, keep, new, show = (seen + held).chunk(4, 1)
            cell = keep.sigmoid() * cell + write.sigmoid() * new.tanh()
            state = show.sigmoid() * cell.tanh()
        states.append(state)
    return torch.stack(states, dim=1), state


class SeriesEncoder(nn.Module):
    """Reads series from the first step to the last, and says what its state is then.

    Parameters
    ----------
    sequence_shape : tuple of two int
        Steps and channels of a row.
    recurrence : Recurrence
        What reads.
    norm : nn.Module
        Of the last state.
    head : nn.Linear
        From the last state to the code.
    """

    def __init__(
        self,
        sequence_shape: tuple[int, int],
        recurrence: Recurrence,
        norm: nn.Module,
        head: nn.Module,
    ):
        super().__init__()
        self.sequence_shape = sequence_shape
        self.recurrence, self.norm, self.head = recurrence, norm, head

    def forward(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        """Codes of shape (n, n_components).

        Parameters
        ----------
        x : Tensor of shape (n, n_features) or (n, n_features + 1)
            Rows, and perhaps how many steps of each there are; what follows these is not read.
        """
        n_steps, n_channels = self.sequence_shape
        rows, n_observed = x.tensor_split([n_steps * n_channels], dim=1)
        states = self.recurrence(rows.unflatten(1, self.sequence_shape), rng)
        last = states[:, -1]
        if n_observed.shape[1]:
            # before the first step the state is zero
            states = torch.cat([torch.zeros_like(states[:, :1]), states], dim=1)
            last = states.take_along_dim(n_observed.long()[:, :, None], dim=1)[:, 0]
        return self.head(self.norm(last))


class SeriesDecoder(nn.Module):
    """Writes series: the code comes in at every step, and what was written does not.

    Parameters
    ----------
    n_steps : int
        How many.
    entry : nn.Linear or TransposedLinear
        From the code to what comes in.
    norm, activation : nn.Module
        What follows it.
    recurrence : Recurrence
        What writes.
    head : nn.Linear
        From the state to the channels of a step.
    """

    def __init__(
        self,
        n_steps: int,
        entry: nn.Module,
        norm: nn.Module,
        activation: nn.Module,
        recurrence: Recurrence,
        head: nn.Module,
    ):
        super().__init__()
        self.n_steps, self.entry, self.norm, self.activation = n_steps, entry, norm, activation
        self.recurrence, self.head = recurrence, head

    def forward(self, z: Tensor, rng: Generator | None = None) -> Tensor:
        """Rows of shape (n, n_features)."""
        said = dropout(self.activation(self.norm(self.entry(z))), self.recurrence.dropout, rng)
        steps = said[:, None].expand(-1, self.n_steps, -1)
        return self.head(self.recurrence(steps, rng)).flatten(1)


class SeriesCoder(Coder):
    """A linear path and a network, of which the path is not told how many steps there are."""

    def forward(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        said = self.network(x, rng)
        return said if self.path is None else self.path(x[:, : self.path.in_features]) + said


class RecurrentAutoencoder(Autoencoder):
    """An autoencoder of series, whose encoder is told how many steps of each row there are.

    Its encoder is one of `recurrent_coders`.
    """

    stacks = False  # torch has no recurrences of many networks at once

    def corrupt(self, x, rng, weight=None):
        seen, emphasized = super().corrupt(x, rng, weight)
        return seen if weight is None else self.with_length(seen, weight > 0), emphasized

    def with_length(self, x: Tensor, known: Tensor) -> Tensor:
        """Rows, and in one column more the number of steps up to the last with a known cell.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            Rows without gaps.
        known : Tensor of shape (n, n_features), bool
            Which cells are no fillings.

        Returns
        -------
        seen : Tensor of shape (n, n_features + 1)
            What the encoder is shown; a module of the user's is shown x.
        """
        reader = self.encoder.network
        if not isinstance(reader, SeriesEncoder):
            return x
        observed = known.unflatten(1, reader.sequence_shape).any(dim=2)
        place = torch.arange(1, observed.shape[1] + 1, device=x.device)
        return torch.cat([x, (observed * place).amax(dim=1, keepdim=True).to(x.dtype)], dim=1)


class SeriesCanonical(Canonical):
    """`Canonical` of series: cells that are missing at the end are not read by the network."""

    def code(self, x: Tensor, y: Tensor) -> Tensor:
        if self.fill is None:  # rows are whole
            return self.autoencoder.encode(y)
        return self.autoencoder.encode(self.autoencoder.with_length(y, ~x.isnan()))


def recurrent_coders(
    n_features: int,
    n_components: int,
    *,
    sequence_shape: tuple[int, int],
    recurrence: str,
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
    """An encoder and a decoder for series.

    Parameters
    ----------
    n_features, n_components : int
        Widths of the data and of the code.
    sequence_shape : tuple of two int
        Steps and channels of a row, whose product is `n_features`.
    recurrence : key of ``RECURRENCES``
        Kind of the layers.
    hidden_layer_sizes, decoder_layer_sizes : sequence of int
        Widths of their states, at least one.
    activation : key of ``ACTIVATIONS``
        What follows the decoder's map of the code.
    normalization : key of ``NORMALIZATIONS``
        What stands before it, and behind the encoder's last state.
    dropout, weight_init, tied_weights, linear_path, custom, rng, residual
        See `skae.nn.coders`.

    Returns
    -------
    encoder, decoder : Coder
        In float64, on the CPU.
    """
    n_steps, n_channels = sequence_shape
    drawn: dict[str, Any] = {"weight_init": weight_init, "rng": rng}

    def layers(widths: Sequence[int]) -> Recurrence:
        return Recurrence(
            [recurrent_layer(recurrence, *pair, **drawn) for pair in pairwise(widths)],
            dropout,
            residual=residual,
        )

    def norm(width: int) -> nn.Module:
        return NORMALIZATIONS[normalization](width, device="cpu").double()

    reader = layers([n_channels, *hidden_layer_sizes])
    down = linear(hidden_layer_sizes[-1], n_components, **drawn)
    width = decoder_layer_sizes[0]
    entry = TransposedLinear(down) if tied_weights else linear(n_components, width, **drawn)
    writer = layers([width, *decoder_layer_sizes])
    up = linear(decoder_layer_sizes[-1], n_channels, **drawn)
    if linear_path:  # the networks are silent at the start
        nn.init.zeros_(down.weight)
        nn.init.zeros_(up.weight)
    networks = [
        SeriesEncoder(sequence_shape, reader, norm(hidden_layer_sizes[-1]), down),
        SeriesDecoder(n_steps, entry, norm(width), ACTIVATIONS[activation](), writer, up),
    ]
    encoder, decoder = beside_linear_paths(
        networks,
        (n_features, n_components),
        custom=custom,
        tied_weights=tied_weights,
        linear_path=linear_path,
        rng=rng,
    )
    return SeriesCoder(encoder.path, encoder.network), decoder
