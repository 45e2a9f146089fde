"""Reconstruction errors, each with the link that makes a decoder's output a point of data space."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Reconstruction(NamedTuple):
    """What a decoder's output is compared with, and what it means in data space.

    Parameters
    ----------
    error : callable of (output, x), both of shape (n, n_features)
        Error of each cell, in nats, shaped like x; never negative.
    link : callable of output
        Maps the decoder's output to data space, elementwise.
    inverse_link : callable of x
        The output that `link` maps to x, and its derivative there, both shaped like x.
    bounds : tuple of two floats or None
        The interval that x must lie in. None is the whole line, and only then may the data be
        shifted and rescaled before training.
    """

    error: Callable[[Tensor, Tensor], Tensor]
    link: Callable[[Tensor], Tensor]
    inverse_link: Callable[[Tensor], tuple[Tensor, Tensor]]
    bounds: tuple[float, float] | None = None


def half_squared_error(output: Tensor, x: Tensor) -> Tensor:
    r"""Half the squared deviation, :math:`\tfrac12 (\hat x_j - x_j)^2`: a unit Gaussian's in nats.

    Parameters
    ----------
    output, x : Tensor of shape (n, n_features)
        The reconstruction and its target.

    Returns
    -------
    error : Tensor of shape (n, n_features)
        Non-negative.
    """
    return 0.5 * F.mse_loss(output, x, reduction="none")


def absolute_error(output: Tensor, x: Tensor) -> Tensor:
    r"""Absolute deviation, :math:`|\hat x_j - x_j|`: a unit Laplace's in nats.

    Parameters
    ----------
    output, x : Tensor of shape (n, n_features)
        The reconstruction and its target.

    Returns
    -------
    error : Tensor of shape (n, n_features)
        Non-negative.
    """
    return (output - x).abs()


def huber_error(output: Tensor, x: Tensor) -> Tensor:
    r"""Squared near zero, absolute beyond one unit.

    .. math:: \begin{cases} \tfrac12 r_j^2 & |r_j| \le 1 \\ |r_j| - \tfrac12 & |r_j| > 1
        \end{cases}, \qquad r = \hat x - x

    Parameters
    ----------
    output, x : Tensor of shape (n, n_features)
        The reconstruction and its target. The unit is the root mean square of the centred
        training data.

    Returns
    -------
    error : Tensor of shape (n, n_features)
        Non-negative.

    References
    ----------
    .. [1] Huber (1964). Robust estimation of a location parameter. Ann. Math. Statist. 35.
    """
    return F.huber_loss(output, x, reduction="none")


def bernoulli_error(output: Tensor, x: Tensor) -> Tensor:
    r"""Cross-entropy of :math:`x \in [0, 1]` against the probabilities that the logits give.

    .. math:: \log(1 + e^{o_j}) - x_j o_j

    Parameters
    ----------
    output : Tensor of shape (n, n_features)
        Logits :math:`o`.
    x : Tensor of shape (n, n_features)
        Targets in [0, 1].

    Returns
    -------
    error : Tensor of shape (n, n_features)
        In nats, non-negative.
    """
    return F.binary_cross_entropy_with_logits(output, x, reduction="none")


def identity(x: Tensor) -> Tensor:
    """The link of data on the whole line.

    Parameters
    ----------
    x : Tensor
        Anything.

    Returns
    -------
    x : Tensor
        The same tensor.
    """
    return x


def _identity_inverse(x: Tensor) -> tuple[Tensor, Tensor]:
    return x, torch.ones_like(x)


def _sigmoid_inverse(x: Tensor) -> tuple[Tensor, Tensor]:
    x = x.clamp(0.02, 0.98)  # a pixel that is always 0 would ask for a logit of minus infinity
    return torch.logit(x), 1 / (x * (1 - x))


RECONSTRUCTIONS = {
    "squared_error": Reconstruction(half_squared_error, identity, _identity_inverse),
    "absolute_error": Reconstruction(absolute_error, identity, _identity_inverse),
    "huber": Reconstruction(huber_error, identity, _identity_inverse),
    "binary_cross_entropy": Reconstruction(
        bernoulli_error, torch.sigmoid, _sigmoid_inverse, bounds=(0.0, 1.0)
    ),
}
