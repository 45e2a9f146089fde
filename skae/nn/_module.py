"""The mathematics of an autoencoder: what every variant is built from, and what it may override."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Generator, Tensor, nn

from skae.nn._losses import RECONSTRUCTIONS
from skae.nn._networks import Coder, TransposedLinear


class Turn(NamedTuple):
    """One player's move in a training step: minimise `loss` over `parameters`.

    Parameters
    ----------
    parameters : list of nn.Parameter
        What moves; everything else stands still in this turn.
    loss : callable of (x, rng)
        Named terms of the loss on a batch, in nats per sample; their sum is minimised.
    """

    parameters: list[nn.Parameter]
    loss: Callable[[Tensor, Generator], dict[str, Tensor]]


class Autoencoder(nn.Module):
    r"""An encoder and a decoder trained to give back what they are given.

    .. math:: \min \; \mathbb{E}_x \, \ell\bigl(g(f(\tilde x)), x\bigr) + \mathrm{penalty}(x, z),
        \qquad z = f(\tilde x), \quad \tilde x = \mathrm{corrupt}(x)

    A variant overrides `corrupt`, `penalty`, `encode`, `loss` or `phases`, and never the loop.

    Parameters
    ----------
    encoder, decoder : Coder
        Maps from data to codes and from codes to the output that the loss compares.
    loss : key of ``RECONSTRUCTIONS``, default="squared_error"
        The reconstruction error and its link.
    """

    def __init__(self, encoder: Coder, decoder: Coder, *, loss: str = "squared_error"):
        super().__init__()
        self.encoder, self.decoder = encoder, decoder
        self.reconstruction = RECONSTRUCTIONS[loss]

    def encode(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        """Codes of shape (n, n_components); without `rng`, the ones that `transform` returns."""
        return self.encoder(x, rng)

    def decode(self, z: Tensor) -> Tensor:
        """Points of data space, of shape (n, n_features), for codes."""
        return self.reconstruction.link(self.decoder(z))

    def corrupt(self, x: Tensor, rng: Generator) -> Tensor:
        """What the encoder sees of x in training."""
        return x

    def penalty(self, x: Tensor, z: Tensor) -> dict[str, Tensor]:
        """Named terms, in nats per sample, that are added to the reconstruction error."""
        return {}

    def loss(self, x: Tensor, rng: Generator) -> dict[str, Tensor]:
        """Named terms, in nats per sample of the batch; training minimises their sum."""
        z = self.encode(self.corrupt(x, rng), rng)
        error = self.reconstruction.error(self.decoder(z, rng), x)
        return {"reconstruction": error.mean(), **self.penalty(x, z)}

    def error(self, x: Tensor) -> Tensor:
        """Reconstruction error of each sample, of shape (n,), as on held-out rows."""
        return self.reconstruction.error(self.decoder(self.encode(x)), x)

    def phases(self) -> list[list[Turn]]:
        """Consecutive stages of training, each the turns taken on every batch."""
        return [[Turn(list(self.parameters()), self.loss)]]

    @torch.no_grad()
    def start_at(self, mean: Tensor, axes: Tensor) -> None:
        r"""Make the linear paths a principal component analysis.

        .. math:: z = V (x - \mu), \qquad
            \hat x = h^{-1}(\mu) + \mathrm{diag}\bigl((h^{-1})'(\mu)\bigr) V^\top z

        which is PCA for the identity link :math:`h`, and to first order around the mean for any
        other.

        Parameters
        ----------
        mean : Tensor of shape (n_features,)
            :math:`\mu`.
        axes : Tensor of shape (n_components, n_features)
            Principal axes :math:`V`, one a row.
        """
        offset, slope = self.reconstruction.inverse_link(mean)
        encoder, decoder = self.encoder.path, self.decoder.path
        encoder.weight.copy_(axes)
        encoder.bias.copy_(-axes @ mean)
        decoder.bias.copy_(offset)
        if not isinstance(decoder, TransposedLinear):
            decoder.weight.copy_(slope[:, None] * axes.T)
        if self.decoder.network is not None:
            # a tied network does not end in zeros, but what it says at the start is constant
            decoder.bias.sub_(self.decoder.network(axes.new_zeros(1, len(axes)))[0])


class Canonical(nn.Module):
    r"""A trained autoencoder in the units of its data and in a canonical basis of its code.

    .. math:: z = \Bigl(f\bigl(\tfrac{x - m}{s}\bigr) - c\Bigr) T, \qquad
        \hat x = s \, g(z T^{-1} + c) + m

    with samples and codes as rows.

    Parameters
    ----------
    autoencoder : Autoencoder
        Works on data shifted by m and divided by s.
    location : Tensor of shape (n_features,)
        :math:`m`.
    scale : Tensor of shape ()
        :math:`s`, positive.
    center : Tensor of shape (n_components,)
        :math:`c`, the mean code.
    basis, basis_inverse : Tensor of shape (n_components, n_components)
        :math:`T` and its inverse.
    """

    location: Tensor
    scale: Tensor
    center: Tensor
    basis: Tensor
    basis_inverse: Tensor

    BUFFERS = ("location", "scale", "center", "basis", "basis_inverse")

    def __init__(
        self,
        autoencoder: Autoencoder,
        location: Tensor,
        scale: Tensor,
        center: Tensor,
        basis: Tensor,
        basis_inverse: Tensor,
    ):
        super().__init__()
        self.autoencoder = autoencoder
        values = (location, scale, center, basis, basis_inverse)
        for name, value in zip(self.BUFFERS, values, strict=True):
            self.register_buffer(name, value)

    def encode(self, x: Tensor) -> Tensor:
        """Codes of shape (n, n_components)."""
        z = self.autoencoder.encode((x - self.location) / self.scale)
        return (z - self.center) @ self.basis

    def decode(self, z: Tensor) -> Tensor:
        """Points of data space, of shape (n, n_features)."""
        x = self.autoencoder.decode(z @ self.basis_inverse + self.center)
        return x * self.scale + self.location

    def forward(self, x: Tensor) -> Tensor:
        """Reconstructions of shape (n, n_features)."""
        return self.decode(self.encode(x))
