"""Likelihoods: reconstruction errors with the noise that they stand for."""

from collections.abc import Callable
from math import log, pi
from typing import NamedTuple

import torch
from torch import Generator, Tensor


class Likelihood(NamedTuple):
    """What makes a reconstruction error a negative log-likelihood.

    Parameters
    ----------
    log_normalizer : float
        What is added to the error of each cell, in nats.
    variance : float
        Of noise of unit scale; 0 where there is no scale to learn.
    draw : callable of (output, scale, rng)
        A sample of the data, shaped like the output.
    """

    log_normalizer: float
    variance: float
    draw: Callable[[Tensor, Tensor | float, Generator], Tensor]


def _draw_gaussian(output: Tensor, scale: Tensor | float, rng: Generator) -> Tensor:
    return output + scale * torch.empty_like(output).normal_(generator=rng)


def _draw_laplace(output: Tensor, scale: Tensor | float, rng: Generator) -> Tensor:
    magnitude = torch.empty_like(output).exponential_(generator=rng)
    sign = 2 * torch.empty_like(output).bernoulli_(0.5, generator=rng) - 1
    return output + scale * sign * magnitude


def _draw_bernoulli(output: Tensor, scale: Tensor | float, rng: Generator) -> Tensor:
    return torch.bernoulli(torch.sigmoid(output), generator=rng)


LIKELIHOODS = {
    "squared_error": Likelihood(0.5 * log(2 * pi), 1.0, _draw_gaussian),
    "absolute_error": Likelihood(log(2), 2.0, _draw_laplace),
    "binary_cross_entropy": Likelihood(0.0, 0.0, _draw_bernoulli),
}
