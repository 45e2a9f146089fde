"""Missing cells by a Gaussian, and by a network that has learnt where a Gaussian is wrong."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn

from skae.nn._layers import linear
from skae.nn._missing import GaussianFill
from skae.nn._module import Turn, weighted
from skae.nn._networks import DenseNetwork


class Correction(nn.Module):
    r"""What a network makes of rows that a Gaussian has completed: :math:`x + f(x, m)`.

    The network sees which cells were missing, m, and is silent at the start. It learns from whole
    rows of which some cells were hidden; one of its samples is a row as the Gaussian has completed
    it, which cells were missing or hidden, and the row itself, side by side. What a cell weighs in
    the error says whether it was hidden; no other counts.

    Parameters
    ----------
    n_features : int
        Width of a row.
    hidden_layer_sizes : sequence of int
        Widths of the hidden layers.
    rng : torch.Generator
        Where the weights come from.
    """

    progress: float | Tensor = 1.0
    is_likelihood = False
    couples_rows = False
    is_capturable = True

    def __init__(self, n_features: int, hidden_layer_sizes: Sequence[int], rng: Generator):
        super().__init__()
        widths = [2 * n_features, *hidden_layer_sizes, n_features]
        layers = [linear(*pair, rng=rng) for pair in pairwise(widths)]
        nn.init.zeros_(layers[-1].weight)
        self.network = DenseNetwork(layers, activation="silu", normalization=None, dropout=0.0)

    def forward(self, x: Tensor, missing: Tensor) -> Tensor:
        """Better estimates of completed rows, of shape (n, n_features)."""
        return x + self.network(torch.cat([x, missing.to(x.dtype)], dim=1))

    def loss(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> dict[str, Tensor]:
        """What training minimises, mean over samples."""
        return {"completion": self.error(x, rng, weight).mean()}

    def error(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> Tensor:
        """Half the squared error of hidden cells, divided by the width, of each sample."""
        completed, missing, row = x.tensor_split(3, dim=1)
        return 0.5 * weighted((self(completed, missing) - row).square(), weight).mean(dim=1)

    def reconstruction_error(
        self,
        x: Tensor,
        rng: Generator,
        weight: Tensor | None = None,
        mean: Tensor | None = None,
    ) -> Tensor:
        """The same, or, where a mean is given, the error of what the Gaussian says of the cells."""
        if mean is None:
            return self.error(x, rng, weight)
        completed, _, row = x.tensor_split(3, dim=1)
        return 0.5 * weighted((completed - row).square(), weight).mean(dim=1)

    def phases(self) -> list[list[Turn]]:
        """One, of one turn."""
        return [[Turn(list(self.parameters()), self.loss)]]


class Completion(nn.Module):
    """Completes rows in the units of their data.

    Parameters
    ----------
    location, scale : Tensor of shape (n_features,)
        What is subtracted from each column, and what it is divided by.
    fill : GaussianFill
        In these units.
    correction : Correction or None
        Of what the Gaussian says.
    """

    location: Tensor
    scale: Tensor
    correction: Any

    def __init__(
        self, location: Tensor, scale: Tensor, fill: GaussianFill, correction: Correction | None
    ):
        super().__init__()
        self.register_buffer("location", location)
        self.register_buffer("scale", scale)
        self.fill, self.correction = fill, correction

    def forward(self, x: Tensor) -> Tensor:
        """Rows whose missing cells, which are NaN, are estimated; the others are as they were."""
        y = (x - self.location) / self.scale
        whole, missing = self.fill(y), x.isnan()
        if self.correction is not None:
            whole = self.fill.joined(y, self.correction(whole, missing))
        return torch.where(missing, whole * self.scale + self.location, x)
