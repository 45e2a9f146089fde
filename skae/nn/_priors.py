"""Distributions that codes are to follow, and how far codes are from them."""

from collections.abc import Callable, Sequence
from math import sqrt

import torch
from torch import Generator, Tensor

MODE_STD = 0.5
"""Standard deviation of each Gaussian of the mixture, around its centre."""

SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Squared widths of the kernels, in units of the expected distance of two draws."""

MAX_ROWS = 1024
"""Rows that a discrepancy, whose cost is quadratic in them, is computed from."""


def gaussian(shape: Sequence[int], rng: Generator) -> Tensor:
    """The standard normal distribution."""
    return torch.empty(*shape, dtype=torch.float64, device=rng.device).normal_(generator=rng)


def uniform(shape: Sequence[int], rng: Generator) -> Tensor:
    r"""The cube :math:`[-\sqrt3, \sqrt3]^k`."""
    z = torch.empty(*shape, dtype=torch.float64, device=rng.device)
    return z.uniform_(-sqrt(3), sqrt(3), generator=rng)


def mixture(shape: Sequence[int], rng: Generator) -> Tensor:
    r"""Gaussians around :math:`\pm r e_j`: one on either side of the origin on each axis."""
    n, k = shape
    z = MODE_STD * gaussian(shape, rng)
    mode = torch.randint(2 * k, (n, 1), generator=rng, device=rng.device)
    radius = sqrt(k * (1 - MODE_STD**2))
    side = (2.0 * (mode % 2) - 1).to(z.dtype)
    return z + torch.zeros_like(z).scatter(1, mode // 2, radius * side)


PRIORS: dict[str, Callable[[Sequence[int], Generator], Tensor]] = {
    "gaussian": gaussian,
    "uniform": uniform,
    "mixture": mixture,
}
"""Draws of a shape (n, n_components), in float64.

All have mean 0 and covariance I, so that one linear start suits them, and treat all components and
both signs alike, so that draws may be put in the order that codes are read in.
"""


def squared_mmd(a: Tensor, b: Tensor) -> Tensor:
    r"""Squared maximum mean discrepancy between two samples, without bias.

    .. math:: \frac{1}{n (n-1)} \sum_{i \ne j} k(a_i, a_j) + \frac{1}{m (m-1)} \sum_{i \ne j}
        k(b_i, b_j) - \frac{2}{nm} \sum_{i, j} k(a_i, b_j), \qquad
        k(a, b) = \frac1S \sum_s \frac{s\, c}{s\, c + \|a - b\|^2}

    with kernels of several scales s and :math:`c = 2 k`, the expected squared distance between
    draws with k components of unit variance.

    Parameters
    ----------
    a : Tensor of shape (n, k)
        Codes.
    b : Tensor of shape (m, k)
        Others.

    Returns
    -------
    discrepancy : Tensor of shape ()
        At most 2; 0 on average if both are from one distribution, so that it may be negative.
        Samples of a single row have no discrepancy: 0.

    References
    ----------
    .. [1] Gretton et al. (2012). A kernel two-sample test, eq. 3. JMLR 13.
    .. [2] Tolstikhin et al. (2018). Wasserstein auto-encoders, section 4. ICLR.
    """
    if min(len(a), len(b)) < 2:
        return (0 * a).sum()
    with torch.autocast(a.device.type, enabled=False):  # distances cancel in half precision
        return apart(a) + apart(b) - 2 * kernel(a, b).mean()


def apart(a: Tensor) -> Tensor:
    """Mean of the kernel over pairs of different rows."""
    n = len(a)
    return (kernel(a, a).sum() - n) / (n * (n - 1))


def kernel(a: Tensor, b: Tensor) -> Tensor:
    """Inverse multiquadratics averaged over scales, of shape (n, m), in [0, 1]; 1 for a = b."""
    lengths = a.square().sum(dim=1)[:, None] + b.square().sum(dim=1)
    distance = (lengths - 2 * a @ b.T).clamp(min=0.0)
    sizes = [scale * 2 * a.shape[1] for scale in SCALES]
    return torch.stack([size / (size + distance) for size in sizes]).mean(dim=0)


def to_prior(z: Tensor, prior: str, rng: Generator) -> Tensor:
    """Squared discrepancy of codes from as many draws, of shape (); of `MAX_ROWS` at most.

    Parameters
    ----------
    z : Tensor of shape (n, n_components)
        Codes.
    prior : key of ``PRIORS``
        Where the draws come from.
    rng : torch.Generator
        Draws them.

    Returns
    -------
    discrepancy : Tensor of shape ()
        See `squared_mmd`.
    """
    some = z[:: -(-len(z) // MAX_ROWS)]
    some = some.to(torch.promote_types(some.dtype, torch.float32))
    return squared_mmd(some, PRIORS[prior](some.shape, rng).to(some))
