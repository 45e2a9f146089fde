"""Which cells make a row unlikely."""

from collections.abc import Callable

import torch
from torch import Tensor

NODES = 16
"""Of the Gauss-Legendre quadrature along a path."""


def gauss_legendre(n: int) -> list[tuple[float, float]]:
    """Nodes and weights on [0, 1], from the recurrence of Legendre's polynomials.

    Golub & Welsch (1969). Calculation of Gauss quadrature rules. Mathematics of Computation 23.
    """
    i = torch.arange(1, n, dtype=torch.float64)
    off_diagonal = i / (4 * i**2 - 1).sqrt()
    nodes, vectors = torch.linalg.eigh(off_diagonal.diag(1) + off_diagonal.diag(-1))
    return list(zip(((nodes + 1) / 2).tolist(), vectors[0].square().tolist(), strict=True))


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
    shares = torch.zeros_like(x)
    for node, weight in gauss_legendre(NODES):
        with torch.enable_grad():
            point = (typical + node * (x - typical)).requires_grad_()
            (slope,) = torch.autograd.grad(log_density(point).sum(), point)
        shares -= weight * slope * (x - typical)
    total = log_density(typical[None]) - log_density(x)
    missed = (total - shares.sum(dim=1))[:, None]
    size = shares.abs()
    whole = size.sum(dim=1, keepdim=True)
    return shares + missed * torch.where(whole > 0, size / whole, 1 / x.shape[1])
