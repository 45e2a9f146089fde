"""Rows compared by what a frozen module sees in them."""

from copy import deepcopy

import torch
from torch import Tensor, nn

from skae.nn._losses import half_squared_error


class PerceptualError(nn.Module):
    r"""Half the squared distance of two rows in the features of a module that does not learn.

    .. math:: \tfrac12 \bigl\| \phi(m + s\, \hat x) - \phi(m + s\, x') \bigr\|^2 / s^2, \qquad
        x' = \hat x + \sqrt w \odot (x - \hat x)

    where a cell of weight 0 is as it was reconstructed, so that it has no part. With the identity
    for :math:`\phi` it is the weighted squared error.

    Parameters
    ----------
    module : nn.Module
        :math:`\phi`, of rows in the units of the data; it is copied, and runs in evaluation mode.
    location : Tensor of shape (n_features,)
        :math:`m`.
    scale : float
        :math:`s`.

    References
    ----------
    .. [1] Johnson, Alahi & Fei-Fei (2016). Perceptual losses for real-time style transfer and
       super-resolution. ECCV.
    """

    location: Tensor

    def __init__(self, module: nn.Module, location: Tensor, scale: float):
        super().__init__()
        self.module = deepcopy(module).double().cpu().requires_grad_(False)
        self.register_buffer("location", location)
        self.scale = scale
        self.eval()

    def train(self, mode: bool = True) -> "PerceptualError":
        """Stay in evaluation mode."""
        return super().train(False)

    def forward(self, x_hat: Tensor, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """Errors of shape (n,)."""
        if weight is not None:
            x = x_hat + weight.sqrt() * (x - x_hat)
        seen, target = (self.module(self.location + self.scale * rows) for rows in (x_hat, x))
        error = half_squared_error(seen / self.scale, target / self.scale)
        return torch.flatten(error, 1).sum(dim=1)
