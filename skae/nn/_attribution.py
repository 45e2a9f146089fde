"""Which cells make a row unlikely."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

NODES = 16
"""Of the Gauss-Legendre quadrature along a path."""


def shares_along_path(
    log_density: Callable[[Tensor], Tensor], x: Tensor, typical: Tensor
) -> Tensor:
    r"""Each cell's share of how much less likely a row is than a typical one.

    .. math:: \phi_j = -(x_j - t_j) \int_0^1
        \frac{\partial \log p}{\partial x_j}\bigl(t + s\,(x - t)\bigr)\, ds, \qquad
        \sum_j \phi_j = \log p(t) - \log p(x)

    the integrated gradients of the log-density [1]_. What the quadrature misses is divided among
    the cells in proportion to their sizes, so that the sum is exact. Of a Gaussian the shares are
    :math:`\tfrac12 (x - t)_j [C^{-1} (x - t)]_j` for a mean t.

    Parameters
    ----------
    log_density : callable
        Maps rows to their log-densities, of shape (n,), each from its own row alone.
    x : Tensor of shape (n, n_features)
        Rows.
    typical : Tensor of shape (n_features,)
        :math:`t`.

    Returns
    -------
    shares : Tensor of shape (n, n_features)
        In nats.

    References
    ----------
    .. [1] Sundararajan, Taly & Yan (2017). Axiomatic attribution for deep networks. ICML.
    """
    nodes, weights = np.polynomial.legendre.leggauss(NODES)
    shares = torch.zeros_like(x)
    for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
        with torch.enable_grad():
            point = (typical + float(node) * (x - typical)).requires_grad_()
            (slope,) = torch.autograd.grad(log_density(point).sum(), point)
        shares -= float(weight) * slope * (x - typical)
    total = log_density(typical[None]) - log_density(x)
    missed = (total - shares.sum(dim=1))[:, None]
    size = shares.abs()
    whole = size.sum(dim=1, keepdim=True)
    return shares + missed * torch.where(whole > 0, size / whole, 1 / x.shape[1])
