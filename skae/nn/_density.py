"""Densities of data: over the code of an autoencoder and over what the code leaves out."""

from collections.abc import Callable
from math import log, pi

import torch
from torch import Tensor

from skae.nn._tensors import Tensors

STEP = 1e-4
"""Of differences, as a share of a direction."""

CODES_AT_ONCE = 512
"""Codes that are decoded together: fewer leave a product of matrices waiting for its weights."""


def slopes(decode: Callable[[Tensor], Tensor], z: Tensor, directions: Tensor) -> Tensor:
    r"""Derivatives of a decoder along some directions, by central differences.

    They ask nothing of the decoder but values, so any module will do; in float64 they are good to
    about 1e-9 of the decoder's output.

    Parameters
    ----------
    decode : callable
        Maps codes of shape (n, n_components) to outputs of shape (n, n_features), in float64.
    z : Tensor of shape (n, n_components)
        Where.
    directions : Tensor of shape (n_directions, n_components)
        Along what, each as long as a code of its kind may be.

    Returns
    -------
    J : Tensor of shape (n, n_directions, n_features)
        :math:`\partial_t\, g(z + t\,u)` at :math:`t = 0` for each direction u.
    """
    # an exported graph has one evaluation, whatever the number of codes and of directions
    exporting = torch.compiler.is_exporting()
    at_once = len(directions) if exporting else max(1, CODES_AT_ONCE // len(z))
    J = []
    for start in range(0, len(directions), at_once):
        steps = STEP * directions[start : start + at_once, None]
        ahead, behind = (decode((z + s).reshape(-1, z.shape[1])) for s in (steps, -steps))
        J.append(((ahead - behind) / (2 * STEP)).reshape(len(steps), -1, ahead.shape[1]))
    return torch.cat(J).transpose(0, 1)


def log_det(A: Tensor) -> Tensor:
    """Logarithms of the determinants of positive definite matrices, of shape (n, k, k)."""
    if not torch.compiler.is_exporting():
        return torch.linalg.slogdet(A).logabsdet
    # exporters know no decomposition, but elimination needs no more than arithmetic
    pivots = []
    for _ in range(A.shape[-1]):
        pivots.append(A[:, 0, 0])
        A = A[:, 1:, 1:] - A[:, 1:, :1] * A[:, :1, 1:] / A[:, :1, :1]
    return torch.stack(pivots).log().sum(dim=0)


class GaussianDensity(Tensors):
    r"""Gaussians over the pair of code and residual, measured as a density of the rows.

    .. math:: p(x) = (2\pi)^{k/2}\, \sum_c \pi_c\, \mathcal N\bigl((w, r);\, \mu_c, C\bigr)\,
        \frac{\det(J^\top R\, J)^{1/2}}{\det(J^\top J)}

    for a code w of k components, the residual :math:`r = x - g(w)` in d dimensions, the decoder's
    Jacobian J at w, and R, the block of C that belongs to the residual. A row has d coordinates but
    the pair k + d, and the residual is free to move in d - k dimensions only, across the decoder's
    image. One factor of :math:`\det(J^\top J)^{-1/2}` is what the decoder stretches; the rest is
    the volume of the normal density on the residual's subspace. That is exact for a linear decoder,
    and on a curved image if the residual is small against its radius of curvature. With a linear
    decoder and :math:`R = \sigma^2 I` it is the density of probabilistic PCA [1]_.

    Parameters
    ----------
    code_std : Tensor of shape (n_components,)
        Standard deviations that make w of a code.
    log_height : Tensor of shape (n_gaussians,)
        :math:`\log \pi_c - \tfrac12 \log \det C`.
    mean : Tensor of shape (n_gaussians, n_components + n_features)
        :math:`\mu_c`.
    whitener : Tensor of shape (p,) or (p, p), p the width of a mean
        What makes a centred pair white, as a diagonal or as a matrix from the right.
    residual_covariance : Tensor of shape (n_features,) or (n_features, n_features)
        :math:`R`, a diagonal if the whitener is one.
    floor : Tensor of shape ()
        Added to :math:`J^\top J`: a density needs a floor where a component drives nothing.

    References
    ----------
    .. [1] Tipping & Bishop (1999). Probabilistic principal component analysis, eq. 4. JRSS B 61.
    """

    code_std: Tensor
    log_height: Tensor
    mean: Tensor
    whitener: Tensor
    residual_covariance: Tensor
    floor: Tensor

    @property
    def width(self) -> int:
        """Numbers that a row takes on the way: of the Jacobian's, a quarter.

        To count all would leave products of matrices a handful of rows to wait for weights with.
        """
        return max(1, len(self.code_std) * self.residual_covariance.shape[-1] // 4)

    def forward(self, w: Tensor, r: Tensor, jacobian: Callable[[], Tensor]) -> Tensor:
        """Log-density of rows.

        Parameters
        ----------
        w : Tensor of shape (n, n_components), float64
            Codes over their standard deviations.
        r : Tensor of shape (n, n_features)
            Rows less their reconstructions.
        jacobian : callable
            Gives the derivatives of reconstructions by w, of shape (n, n_components, n_features),
            or once if they are the same for all rows.

        Returns
        -------
        log_density : Tensor of shape (n,)
            In nats.
        """
        identity, R = (
            torch.eye(w.shape[1], dtype=w.dtype, device=w.device),
            self.residual_covariance,
        )
        J, floor = jacobian(), self.floor * identity
        if R.ndim == 1:
            white, spread = (lambda pair: pair * self.whitener), (J * R) @ J.mT
            share = R.mean()
        else:
            white, spread = (lambda pair: pair @ self.whitener), J @ R @ J.mT
            share = R.diagonal().mean()
        pair = torch.hstack([w, r])
        distances = [white(pair - mean).square().sum(dim=1) for mean in self.mean]
        log_sum = torch.logsumexp(self.log_height - 0.5 * torch.stack(distances, dim=1), dim=1)
        # the floor is the same share of either
        log_volume = 0.5 * log_det(spread + share * floor) - log_det(J @ J.mT + floor)
        return log_sum + log_volume - 0.5 * r.shape[1] * log(2 * pi)


class SpikeAndSlabDensity(Tensors):
    r"""A spike at zero and a Laplace slab for each component, and a Gaussian over the residual.

    .. math:: \log p(x) \approx \log \mathcal{N}(r; 0, \sigma^2 I)
        + \sum_{w_j = 0} \log (1 - \rho_j)
        + \sum_{w_j \ne 0} \Bigl[\log \frac{\rho_j}{2 m_j s_j} - \frac{|w_j|}{m_j}
        + \tfrac12 \log 2 \pi \sigma^2\Bigr]

    The last term is the volume over which a coefficient that is used may vary: Laplace's
    approximation to the integral over codes, as if a row's atoms were orthogonal.

    Parameters
    ----------
    code_std : Tensor of shape (n_components,)
        Standard deviations that make w of a code.
    share : Tensor of shape (n_components,)
        :math:`\rho`, how often a component is used, in (0, 1).
    size : Tensor of shape (n_components,)
        :math:`m`, the mean size of w when it is.
    length : Tensor of shape (n_components,)
        :math:`s`, what a w of 1 is in the units of the residual.
    noise_variance : Tensor of shape ()
        :math:`\sigma^2`, of each feature.
    """

    code_std: Tensor
    share: Tensor
    size: Tensor
    length: Tensor
    noise_variance: Tensor

    @property
    def width(self) -> int:
        """Numbers that a row takes on the way."""
        return len(self.code_std)

    def forward(self, w: Tensor, r: Tensor, jacobian: Callable[[], Tensor]) -> Tensor:
        """Log-density of rows; see `GaussianDensity.forward`."""
        log_volume = (2 * pi * self.noise_variance).log()
        slab = self.share.log() - (2 * self.size * self.length).log() + 0.5 * log_volume
        code = torch.where(w != 0, slab - w.abs() / self.size, (-self.share).log1p())
        residual = r.square().sum(dim=1) / self.noise_variance + r.shape[1] * log_volume
        return code.sum(dim=1) - 0.5 * residual


DENSITIES = (GaussianDensity, SpikeAndSlabDensity)
