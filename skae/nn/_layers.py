"""Layers: affine maps, their transposes, shortcuts past them, normalisation, dropout."""

from collections.abc import Callable, Sequence
from math import ceil
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

WEIGHT_INITS: dict[str, Callable] = {
    "xavier": nn.init.xavier_uniform_,
    "he": nn.init.kaiming_uniform_,
}


class Linear(nn.Linear):
    """An affine map whose weights are left to be drawn; torch's own asks the global generator."""

    def reset_parameters(self) -> None:
        """Draw nothing."""

    def forward(self, x: Tensor) -> Tensor:
        return affine(x, self.weight, self.bias)


def affine(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    r"""The map :math:`W x + b` of rows, or that of each member of a stack.

    Parameters
    ----------
    x : Tensor of shape (n, n_in), or (n_members, n, n_in)
        Rows.
    weight : Tensor of shape (n_out, n_in), or (n_members, n_out, n_in)
        :math:`W`.
    bias : Tensor of shape (n_out,), or (n_members, n_out)
        :math:`b`.

    Returns
    -------
    y : Tensor of shape (n, n_out), or (n_members, n, n_out)
        What the rows become.
    """
    if weight.ndim == 2:
        return F.linear(x, weight, bias)
    return torch.baddbmm(bias[:, None], x, weight.mT)


class GapLinear(Linear):
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
    layer = (GapLinear if gaps else Linear)(n_in, n_out, dtype=torch.float64, device="cpu")
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

    @property
    def weight(self) -> Tensor:
        """The other layer's, transposed."""
        return self.layer.weight.mT

    def forward(self, x: Tensor) -> Tensor:
        return affine(x, self.weight, self.bias)


LARGE = 2.0**30
"""Numbers up to this are normalised as they are; their squares are far from overflowing."""


class LayerNorm(nn.LayerNorm):
    """Layer normalisation of numbers whose squares may overflow: it does not depend on the unit."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x / (x.detach().abs().amax(dim=-1, keepdim=True) / LARGE).clamp(1))


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
    (mask,) = masks(x, [x.shape[-1]], rate, rng)
    return x if mask is None else x * mask


def masks(
    x: Tensor, widths: Sequence[int], rate: float, rng: Generator | None
) -> Sequence[Tensor | None]:
    """What several layers of units are multiplied by, to be drawn at once.

    Parameters
    ----------
    x : Tensor of shape (..., n_in)
        Rows, of any width.
    widths : sequence of int
        Of the layers.
    rate, rng
        See `dropout`.

    Returns
    -------
    masks : sequence of Tensor of shape (..., width), or of None
        None is 1.
    """
    if rng is None or rate == 0:
        return [None] * len(widths)
    # Four units share a number, of 16 bits each: in a third of the time of a number for each
    n_quarters = ceil(sum(widths) / 4)
    numbers = torch.empty_like(
        x[..., :1].expand(*x.shape[:-1], n_quarters),
        dtype=torch.int64,
        memory_format=torch.contiguous_format,
    )
    bits = numbers.random_(-(2**63), None, generator=rng).view(torch.int16)
    n_dropped = min(round(rate * 2**16), 2**16 - 1)  # of the values there are, the lowest
    kept = bits.float().sub_(n_dropped - 2**15 - 1).clamp(0, 1).div_(1 - n_dropped / 2**16)
    return kept[..., : sum(widths)].to(x.dtype).split(tuple(widths), dim=-1)


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
        return x + self.gains.unsqueeze(-2) * y


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
