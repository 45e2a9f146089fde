"""The contractive autoencoder: how much a code moves when its row does, and what that costs."""

from typing import Any

import torch
from torch import Generator, Tensor

from skae.nn._module import Autoencoder


class ContractiveAutoencoder(Autoencoder):
    r"""An encoder that is charged for its slopes.

    .. math:: \ell\bigl(g(f(\tilde x)), x\bigr) + \lambda\, \|J(x)\|_F^2,
        \qquad J(x) = \frac{\partial f(x)}{\partial x}

    Parameters
    ----------
    encoder, decoder : Coder
        See `Autoencoder`.
    contraction_weight : float
        :math:`\lambda`, in nats.
    n_probes : int or None
        Random directions of code space that the norm is estimated by; None takes all axes.
    **settings
        ``loss``, ``corruption`` and ``trim`` of `Autoencoder`.

    References
    ----------
    .. [1] Rifai et al. (2011). Contractive auto-encoders: explicit invariance during feature
       extraction, eq. 4. ICML.
    """

    stacks = False  # slopes are derivatives already

    def __init__(
        self, encoder, decoder, *, contraction_weight: float, n_probes: int | None, **settings: Any
    ):
        super().__init__(encoder, decoder, **settings)
        self.contraction_weight, self.n_probes = contraction_weight, n_probes

    def penalty(self, x: Tensor, z: Tensor, rng: Generator) -> dict[str, Tensor]:
        return {"contraction": self.contraction_weight * self.slope(x, rng)}

    def slope(self, x: Tensor, rng: Generator) -> Tensor:
        """Squared Frobenius norm of the Jacobian of `encode` at each row, of shape (n,)."""
        if self.encoder.network is None:  # the same for all rows
            return self.encoder.path.weight.square().sum().expand(len(x))
        training = self.training
        self.eval()  # what `transform` computes: neither dropout nor the other rows of the batch
        try:
            return squared_jacobian_norm(self.encode, x, rng=rng, n_probes=self.n_probes)
        finally:
            self.train(training)


def squared_jacobian_norm(
    encode: Any, x: Tensor, *, rng: Generator, n_probes: int | None = None
) -> Tensor:
    r"""Squared Frobenius norm of a Jacobian, row by row, exact or by Hutchinson's estimator.

    .. math:: \|J\|_F^2 = \sum_j \|J^\top e_j\|^2 = \mathbb{E}_v \|J^\top v\|^2,
        \qquad \mathbb{E}\, v v^\top = I

    Parameters
    ----------
    encode : callable
        Maps (n, n_features) to (n, n_components), each row by itself.
    x : Tensor of shape (n, n_features)
        Where to differentiate.
    rng : torch.Generator
        Draws the signs that v is made of.
    n_probes : int or None, default=None
        Draws of v for each row; None takes the axes of the code instead.

    Returns
    -------
    norm : Tensor of shape (n,)
        Can be differentiated in the parameters of `encode` where gradients are enabled. Estimates
        are unbiased.

    References
    ----------
    .. [1] Hutchinson (1990). A stochastic estimator of the trace of the influence matrix for
       Laplacian smoothing splines. Communications in Statistics 19.
    """
    differentiable = torch.is_grad_enabled()
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        z = encode(x)
        if n_probes is None:
            directions = torch.eye(z.shape[1], dtype=z.dtype, device=z.device)
            directions = directions[:, None].expand(-1, len(z), -1)
            share = 1.0
        else:
            signs = torch.empty(n_probes, *z.shape, dtype=z.dtype, device=z.device)
            directions = 2 * signs.bernoulli_(0.5, generator=rng) - 1
            share = 1 / n_probes
        (pulled,) = torch.autograd.grad(
            z, x, directions, create_graph=differentiable, is_grads_batched=True
        )
    return share * pulled.square().sum(dim=(0, 2))
