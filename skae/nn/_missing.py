"""What a Gaussian says of the cells that are missing."""

from math import pi
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from skae.nn._tensors import Tensors


class Factors(NamedTuple):
    """What the known cells of rows say of their factors.

    Parameters
    ----------
    mean : Tensor of shape (n, n_factors)
        Posterior means.
    precision_root : Tensor of shape (n, n_factors, n_factors)
        Lower triangular roots of the posteriors' precisions.
    """

    mean: Tensor
    precision_root: Tensor

    @property
    def covariance_root(self) -> Tensor:
        """T of shape (n, n_factors, n_factors), where the covariances are :math:`T^\\top T`."""
        root = self.precision_root
        identity = torch.eye(root.shape[1], dtype=root.dtype, device=root.device)
        return torch.linalg.solve_triangular(root, identity.expand_as(root), upper=False)


class GaussianFill(Tensors):
    r"""Missing cells as a factor model sees them: their means given the cells that are known.

    .. math:: x = \mu + W^\top z + \varepsilon, \quad z \sim \mathcal N(0, I), \;
        \varepsilon \sim \mathcal N(0, \mathrm{diag}\,\psi), \qquad
        \mathbb{E}[z \mid x_o] = P^{-1} W_o \Psi_o^{-1} (x_o - \mu_o), \quad
        P = I + W_o \Psi_o^{-1} W_o^\top

    where o are the known cells of a row: a regression of what is missing on what is not, for every
    pattern of missing cells.

    Parameters
    ----------
    mean : Tensor of shape (n_features,)
        :math:`\mu`.
    loadings : Tensor of shape (n_factors, n_features)
        :math:`W`.
    noise : Tensor of shape (n_features,)
        :math:`\psi`, positive.
    low, high : Tensor of shape (n_features,)
        What missing cells are kept within: the range of those that are known.

    References
    ----------
    .. [1] Little & Rubin (2019). Statistical analysis with missing data, section 8.2. Wiley.
    """

    mean: Tensor
    loadings: Tensor
    noise: Tensor
    low: Tensor
    high: Tensor

    def forward(self, x: Tensor) -> Tensor:
        """Rows with their missing cells, which are NaN, filled in."""
        rows = incomplete(x)
        if not rows.any():
            return x
        some = x[rows].double()
        W = self.loadings.double()
        estimate = torch.addmm(self.mean.double(), self.factors(some).mean, W)
        return x.index_put((rows,), self.joined(some, estimate).to(x.dtype))

    def draw(self, x: Tensor, rng: Generator) -> Tensor:
        """The same with cells drawn from what they may be: completed rows vary as whole ones do."""
        rows = incomplete(x)
        if not rows.any():
            return x
        some, W = x[rows].double(), self.loadings.double()
        found = self.factors(some)
        normal = found.mean.new_empty(found.mean.shape).normal_(generator=rng)
        z = found.mean + (found.covariance_root.mT @ normal[:, :, None])[:, :, 0]
        noise = self.noise.double().sqrt() * torch.empty_like(some).normal_(generator=rng)
        return x.index_put((rows,), self.joined(some, self.mean + z @ W + noise).to(x.dtype))

    def joined(self, x: Tensor, estimate: Tensor) -> Tensor:
        """The known cells of x, and estimates of the others."""
        return torch.where(x.isnan(), torch.clamp(estimate, self.low, self.high), x)

    def factors(self, x: Tensor) -> Factors:
        """What rows with missing cells say of their factors.

        Parameters
        ----------
        x : Tensor of shape (n, n_features), float64
            Rows; NaN is missing.

        Returns
        -------
        factors : Factors
            In float64.
        """
        W, noise = self.loadings.double(), self.noise.double()
        known = (~x.isnan()).double()
        identity = torch.eye(len(W), dtype=W.dtype, device=W.device)
        read = W / noise  # P of each row is a sum over its known features
        precision = torch.einsum("nd,kd,ld->nkl", known, read, W) + identity
        root = torch.linalg.cholesky(precision)
        departure = (x - self.mean.double()).nan_to_num(nan=0.0)
        mean = torch.cholesky_solve((departure @ read.T)[:, :, None], root)[:, :, 0]
        return Factors(mean, root)

    def log_volume(self, x: Tensor) -> Tensor:
        r"""What completing rows adds to their log-density, of shape (n,), in nats.

        .. math:: \log p(x_o) = \log p(x) + \tfrac12 \log\det\bigl(2\pi\, C_{m|o}\bigr)

        with x completed by the mean, as far as p is this Gaussian; elsewhere it is Laplace's
        approximation to the integral over what is missing.
        """
        rows, missing = incomplete(x), x.isnan()
        volume = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        if not rows.any():
            return volume
        # det C_mm|o = det C / det C_oo, both by the determinant lemma
        whole, some = self.factors(x.new_zeros(1, x.shape[1]).double()), x[rows].double()
        gain = log_det_of(whole.precision_root) - log_det_of(self.factors(some).precision_root)
        cells = (2 * pi * self.noise.double()).log() * missing[rows]
        return volume.index_put((rows,), 0.5 * (gain + cells.sum(dim=1)))


def incomplete(x: Tensor) -> Tensor:
    """Which rows have missing cells: their sums are NaN.

    So may be those of whole rows that overflow; to complete one of these changes nothing.
    """
    return x.sum(dim=1).isnan()


def log_det_of(root: Tensor) -> Tensor:
    """Logarithms of the determinants of matrices with these triangular roots."""
    return 2 * root.diagonal(dim1=1, dim2=2).log().sum(dim=1)
