"""Tables of numbers and categories: cells, the errors of each kind, and their links."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from skae.nn._layers import TransposedLinear
from skae.nn._losses import Reconstruction
from skae.nn._module import Autoencoder

LEAST_SHARE = 1e-6
"""Of a category, when its logarithm is taken."""


class MixedReconstruction(nn.Module):
    r"""Numbers under a loss, coins under a Bernoulli and categories under a softmax, side by side.

    A column is one cell, or, if it has other than two categories, one for each of them:

    .. math:: x_j = \frac{v_j - m_j}{s_j}

    where v is the number, or 1 for the row's category and 0 for the others. With the mean and the
    deviation of each number, the share :math:`p` of each category, and s of :math:`\sqrt p`, or
    :math:`\sqrt{p (1 - p)}` for a coin, principal components of the cells are factor analysis of
    mixed data [1]_.

    Parameters
    ----------
    numeric : Reconstruction
        Of numbers.
    n_numeric, n_binary : int
        How many cells, the first ones, are numbers, and how many, the next ones, are coins.
    sizes : sequence of int
        Numbers of categories of the columns that follow.
    source : Tensor of shape (n_cells,), int64
        Which column each cell is from.
    category : Tensor of shape (n_cells,)
        The code that the column has where the cell is 1; -1 for numbers.
    shift, width : Tensor of shape (n_cells,)
        :math:`m` and :math:`s`.
    weight : Tensor of shape (n_cells,)
        What a nat counts in the error.

    References
    ----------
    .. [1] Pagès (2004). Analyse factorielle de données mixtes. Revue de statistique appliquée 52.
    """

    bounds = None
    source: Tensor
    category: Tensor
    shift: Tensor
    width: Tensor
    weight: Tensor

    def __init__(
        self,
        numeric: Reconstruction,
        *,
        n_numeric: int,
        n_binary: int,
        sizes: Sequence[int],
        **tensors: Tensor,
    ):
        super().__init__()
        self.numeric = numeric
        self.n_numeric, self.n_binary, self.sizes = n_numeric, n_binary, tuple(sizes)
        for name, tensor in tensors.items():
            self.register_buffer(name, tensor, persistent=False)  # training may not round it

    @property
    def categorical(self) -> list[int]:
        """Numbers of cells of the columns that are no numbers."""
        return [1] * self.n_binary + list(self.sizes)

    def parts(self, cells: Tensor) -> tuple[Tensor, Tensor, tuple[Tensor, ...]]:
        """Numbers, coins, and each column of categories, from the last dimension."""
        numbers, coins, *blocks = cells.split([self.n_numeric, self.n_binary, *self.sizes], dim=-1)
        return numbers, coins, tuple(blocks)

    def cells(self, x: Tensor) -> Tensor:
        """Standardised cells, of shape (n, n_cells), of rows whose categories are codes.

        A missing entry, which is NaN, is missing in all its cells.
        """
        entries = x[:, self.source]
        hit = (entries == self.category).to(x.dtype)
        indicator = (self.category >= 0) & ~entries.isnan()
        return (torch.where(indicator, hit, entries) - self.shift) / self.width

    def rows(self, cells: Tensor) -> Tensor:
        """Rows of numbers and codes for cells: of each column, the category with most in it."""
        numbers, coins, blocks = self.parts(self.values(cells))
        likeliest = [block.argmax(dim=1, keepdim=True).to(cells.dtype) for block in blocks]
        columns = torch.cat([numbers, (coins > 0.5).to(cells.dtype), *likeliest], dim=1)
        return columns[:, self.place]

    @property
    def place(self) -> Tensor:
        """Where each column stands among numbers, coins and categories, of shape (n_columns,)."""
        widths = [1] * (self.n_numeric + self.n_binary) + list(self.sizes)
        starts = [sum(widths[:i]) for i in range(len(widths))]
        return self.source[starts].argsort()

    def values(self, cells: Tensor) -> Tensor:
        """Numbers in their own units, and indicators or probabilities, for cells."""
        return cells * self.width + self.shift

    def probabilities(self, output: Tensor) -> Tensor:
        """Of each category, of shape (n, n_cells - n_numeric)."""
        _, coins, blocks = self.parts(output)
        return torch.cat([coins.sigmoid(), *(block.softmax(dim=-1) for block in blocks)], dim=-1)

    def error(self, output: Tensor, x: Tensor) -> Tensor:
        """Error of each cell, weighted so that no column outweighs the others."""
        return self.weight * self.nats(output, x)

    def nats(self, output: Tensor, x: Tensor) -> Tensor:
        """Error of each cell, in nats: that of numbers, and cross-entropies of the others."""
        numbers, coins, blocks = self.parts(output)
        _, is_head, shares = self.parts(self.values(x))
        errors = [self.numeric.error(numbers, x[..., : self.n_numeric])]
        errors.append(F.binary_cross_entropy_with_logits(coins, is_head, reduction="none"))
        for block, share in zip(blocks, shares, strict=True):
            errors.append(-share * block.log_softmax(dim=-1))
        return torch.cat(errors, dim=-1)

    def link(self, output: Tensor) -> Tensor:
        """Cells for the decoder's output: numbers as they are, and probabilities for logits."""
        numbers, rest = output[..., : self.n_numeric], slice(self.n_numeric, None)
        shares = (self.probabilities(output) - self.shift[rest]) / self.width[rest]
        return torch.cat([self.numeric.link(numbers), shares], dim=-1)

    def inverse_link(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The output that `link` maps to x, and its derivative, as if cells were independent.

        To first order that is what they are: where the shares of a column change and still sum to
        one, their softmax's denominator does not.
        """
        numbers, slope = self.numeric.inverse_link(x[..., : self.n_numeric])
        values = self.values(x).clamp(LEAST_SHARE, 1 - LEAST_SHARE)
        _, is_head, shares = self.parts(values)
        logits = [is_head.logit(), *(share.log() for share in shares)]
        slopes = [1 / (is_head * (1 - is_head)), *(1 / share for share in shares)]
        steep = torch.cat(slopes, dim=-1) * self.width[self.n_numeric :]
        return torch.cat([numbers, *logits], dim=-1), torch.cat([slope, steep], dim=-1)


class MixedAutoencoder(Autoencoder):
    """An autoencoder of mixed cells.

    Parameters
    ----------
    encoder, decoder, loss, **settings
        See `Autoencoder`; the loss is that of numbers.
    columns : dict
        The settings and tensors of `MixedReconstruction`.
    """

    def __init__(
        self,
        encoder: Any,
        decoder: Any,
        *,
        columns: dict[str, Any],
        loss: str = "squared_error",
        **settings: Any,
    ):
        super().__init__(encoder, decoder, loss=loss, **settings)
        self.reconstruction: Any = MixedReconstruction(self.reconstruction, **columns)

    @torch.no_grad()
    def start_at(  # type: ignore[override]
        self, mean: Tensor, axes: Tensor, seen_mean: Tensor, reader: Tensor, heads: Tensor
    ) -> None:
        """Make the linear paths principal components, and regressions of categories on these.

        Parameters
        ----------
        mean, axes, seen_mean, reader : Tensor
            See `Autoencoder.start_at`.
        heads : Tensor of shape (n_cells - n_numeric, n_components + 1)
            Weights of the codes in the logits, and offsets in the last column.
        """
        super().start_at(mean, axes, seen_mean, reader)
        if isinstance(self.decoder.path, TransposedLinear):
            return  # it has no weights of its own
        rest = slice(self.reconstruction.n_numeric, None)
        offset, _ = self.reconstruction.inverse_link(mean)
        self.writer.weight[rest] = heads[:, :-1]
        self.writer.bias[rest] += heads[:, -1] - offset[rest]  # silence of the network stays
