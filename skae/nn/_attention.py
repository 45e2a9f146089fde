"""A network that looks from feature to feature: a transformer over the cells of a row."""

from math import sqrt

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skae.nn._layers import LayerNorm, dropout, linear, without

WIDTH = 32
"""Of the token of a cell."""

HEADS = 4
"""Of attention, each on its part of the width."""


class FeatureTransformer(nn.Module):
    r"""Reads a row as a set of cells that attend to each other.

    .. math:: t_0 = c, \quad t_j = e_j + x_j w_j, \qquad
        t \leftarrow t + \mathrm{attention}(\mathrm{norm}(t)), \quad
        t \leftarrow t + \mathrm{mlp}(\mathrm{norm}(t)), \qquad z = W \mathrm{norm}(t_0) + b

    The token of a cell is its feature's own, shifted along a direction of the feature's by its
    value [1]_. A cell that is NaN has a value token that all features share. The code is read off a
    token of its own, which attends to all.

    Parameters
    ----------
    n_features, n_outputs : int
        Widths of a row and of what is made of it.
    depth : int
        Blocks of attention and perceptron.
    dropout : float in [0, 1)
        Share of hidden units that are zeroed in a training step.
    rng : torch.Generator
        Where the weights come from.
    silent : bool
        Whether it says nothing at the start.

    References
    ----------
    .. [1] Gorishniy et al. (2021). Revisiting deep learning models for tabular data, section 3.3.
       NeurIPS.
    """

    def __init__(
        self,
        n_features: int,
        n_outputs: int,
        *,
        depth: int,
        dropout: float,
        rng: Generator,
        silent: bool,
    ):
        super().__init__()

        def tokens(n: int) -> nn.Parameter:
            bound = 1 / sqrt(WIDTH)
            empty = torch.empty(n, WIDTH, dtype=torch.float64, device="cpu")
            return nn.Parameter(empty.uniform_(-bound, bound, generator=rng))

        self.own, self.direction = tokens(n_features), tokens(n_features)
        self.hidden, self.code = tokens(1), tokens(1)
        self.blocks = nn.ModuleList(Block(WIDTH, dropout, rng) for _ in range(depth))
        self.norm = LayerNorm(WIDTH, dtype=torch.float64, device="cpu")
        self.head = linear(WIDTH, n_outputs, rng=rng)
        if silent:
            nn.init.zeros_(self.head.weight)

    def forward(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        gaps = x.isnan()
        shift = without(gaps, x)[:, :, None] * self.direction
        cells = self.own + torch.where(gaps[:, :, None], self.hidden, shift)
        tokens = torch.cat([self.code.expand(len(x), 1, -1), cells], dim=1)
        for block in self.blocks:
            tokens = block(tokens, rng)
        return self.head(self.norm(tokens[:, 0]))


class Block(nn.Module):
    """Attention and a perceptron of twice the width, each added to what it reads.

    Parameters
    ----------
    width : int
        Of a token.
    dropout : float in [0, 1)
        Of the perceptron's hidden units.
    rng : torch.Generator
        Where the weights come from.
    """

    def __init__(self, width: int, dropout: float, rng: Generator):
        super().__init__()
        self.norms = nn.ModuleList(LayerNorm(width, device="cpu") for _ in range(2)).double()
        self.read, self.write = linear(width, 3 * width, rng=rng), linear(width, width, rng=rng)
        self.up, self.down = linear(width, 2 * width, rng=rng), linear(2 * width, width, rng=rng)
        self.dropout = dropout

    def forward(self, tokens: Tensor, rng: Generator | None = None) -> Tensor:
        query, key, value = (
            part.unflatten(2, (HEADS, -1)).transpose(1, 2)
            for part in self.read(self.norms[0](tokens)).chunk(3, dim=2)
        )
        heads = F.scaled_dot_product_attention(query, key, value)
        tokens = tokens + self.write(heads.transpose(1, 2).flatten(2))
        inner = dropout(F.gelu(self.up(self.norms[1](tokens))), self.dropout, rng)
        return tokens + self.down(inner)
