"""Autoencoders whose codes, of all rows together, follow a prior."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skae.nn._layers import linear
from skae.nn._module import Autoencoder, Turn
from skae.nn._networks import DenseNetwork
from skae.nn._priors import PRIORS, to_prior

TEMPER = 1.0
"""Charge for an adversary's squared slopes, halved: without it players run in circles."""


class PriorAutoencoder(Autoencoder):
    r"""Codes that start with the mean and the variances of a prior.

    Parameters
    ----------
    encoder, decoder : Coder
        See `Autoencoder`.
    n_components, n_features : int
        Widths :math:`k` and :math:`d` of the code and of the data.
    prior : key of ``PRIORS``
        :math:`p(z)`.
    prior_weight : float
        :math:`\lambda`, in nats a feature.
    **settings
        ``loss``, ``corruption`` and ``trim`` of `Autoencoder`.

    Notes
    -----
    The start stays as it is, and the coders learn the departure from it, as in
    `VariationalAutoencoder`: so tied weights do not tie the prior's units to those of the data.
    """

    stacks = False  # what is drawn from the prior depends on no member

    reader: Tensor
    offset: Tensor
    loadings: Tensor
    mean: Tensor

    def __init__(
        self,
        encoder,
        decoder,
        *,
        n_components: int,
        n_features: int,
        prior: str,
        prior_weight: float,
        **settings: Any,
    ):
        super().__init__(encoder, decoder, **settings)
        self.prior, self.prior_weight, self.n_features = prior, prior_weight, n_features
        new = partial(torch.zeros, dtype=torch.float64, device="cpu")
        self.register_buffer("reader", new(n_components, n_features))
        self.register_buffer("offset", new(n_components))
        self.register_buffer("loadings", new(n_components, n_features))
        self.register_buffer("mean", new(n_features))

    def encode(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        return torch.addmm(self.offset, x, self.reader.T) + self.encoder(x, rng)

    def output(self, z: Tensor, rng: Generator | None = None) -> Tensor:
        return torch.addmm(self.mean, z, self.loadings) + self.decoder(z, rng)

    def discrepancy(self, z: Tensor, rng: Generator) -> Tensor:
        """Of codes from the prior, a nat for each feature and squared unit, of shape ()."""
        return self.n_features * to_prior(z, self.prior, rng)

    @torch.no_grad()
    def start_at(  # type: ignore[override]
        self, mean: Tensor, loadings: Tensor, seen_mean: Tensor, reader: Tensor
    ) -> None:
        r"""Start at a linear autoencoder, :math:`z = A (\tilde x - \tilde\mu)` and
        :math:`\hat x = \mu + W^\top z`, whose codes have the prior's variance.

        Parameters
        ----------
        mean : Tensor of shape (n_features,)
            :math:`\mu`, of the data.
        loadings : Tensor of shape (n_components, n_features)
            :math:`W`.
        seen_mean : Tensor of shape (n_features,)
            :math:`\tilde\mu`, of what the encoder sees.
        reader : Tensor of shape (n_components, n_features)
            :math:`A`.
        """
        self.reader.copy_(reader)
        self.offset.copy_(-reader @ seen_mean)
        output, slope = self.reconstruction.inverse_link(mean)
        self.mean.copy_(output)
        self.loadings.copy_(slope * loadings)
        zero = mean.new_zeros(())
        self.set_paths((zero, zero), (zero, zero))


class WassersteinAutoencoder(PriorAutoencoder):
    r"""Codes that follow a prior as far as kernels can tell.

    .. math:: \min_{f, g} \; \mathbb{E}_x\, \ell\bigl(g(f(x)), x\bigr)
        + \lambda\, d\, \mathrm{MMD}^2\bigl(f(x), p(z)\bigr)

    Parameters
    ----------
    encoder, decoder, n_components, n_features, prior, prior_weight, **settings
        See `PriorAutoencoder`.

    References
    ----------
    .. [1] Tolstikhin et al. (2018). Wasserstein auto-encoders, algorithm 2. ICLR.
    """

    couples_rows = True  # a discrepancy is between samples

    def penalty(self, x: Tensor, z: Tensor, rng: Generator) -> dict[str, Tensor]:
        return {"discrepancy": self.prior_weight * self.discrepancy(z, rng)}


class AdversarialAutoencoder(PriorAutoencoder):
    r"""Codes that an adversary cannot tell from the prior.

    .. math:: \max_D \; \mathbb{E}_{z \sim p} \log \sigma(D(z))
        + \mathbb{E}_x \log \sigma\bigl(-D(f(x))\bigr)
        - \tfrac12 \mathbb{E} \|\nabla D\|^2, \qquad
        \min_{f, g} \; \mathbb{E}_x\, \ell\bigl(g(f(x)), x\bigr)
        - \lambda\, d\, \mathbb{E}_x \log \sigma\bigl(D(f(x))\bigr)

    Parameters
    ----------
    encoder, decoder, n_components, n_features, prior, prior_weight, **settings
        See `PriorAutoencoder`.
    discriminator : DenseNetwork
        :math:`D`: codes in, one column out, the log-odds that they are from the prior.

    References
    ----------
    .. [1] Makhzani et al. (2015). Adversarial autoencoders. arXiv:1511.05644.
    .. [2] Mescheder, Geiger & Nowozin (2018). Which training methods for GANs do actually
       converge? Section 4.1. ICML.
    """

    def __init__(self, encoder, decoder, *, discriminator: nn.Module, **settings: Any):
        super().__init__(encoder, decoder, **settings)
        self.discriminator = discriminator

    def penalty(self, x: Tensor, z: Tensor, rng: Generator) -> dict[str, Tensor]:
        fooled = F.softplus(-self.discriminator(z)[:, 0])
        return {"adversarial": self.prior_weight * self.n_features * fooled}

    def error(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> Tensor:
        # what an adversary says is low as long as it is weak: kernels learn nothing, and so judge
        seen, weight = self.corrupt(x, rng, weight)
        z = self.encode(seen)
        return self.compare(self.output(z), x, weight) + self.discrepancy(z, rng)

    def discrimination(
        self, x: Tensor, rng: Generator, weight: Tensor | None = None
    ) -> dict[str, Tensor]:
        """What the adversary minimises: its surprise at where codes are from, and its slopes."""
        with torch.no_grad():  # the coders do not move in this turn: a graph would be of no use
            seen, weight = self.corrupt(x, rng, weight)
            z = self.encode(seen, rng)
            if self.trim > 0:  # what does not teach the coders does not teach their adversary
                z = z[self.teaching(self.compare(self.output(z, rng), x, weight))]
        drawn = PRIORS[self.prior](z.shape, rng).to(z)
        both = torch.cat([z, drawn]).requires_grad_()
        odds = self.discriminator(both)[:, 0]
        of_rows, of_prior = odds.chunk(2)
        (slope,) = torch.autograd.grad(odds.sum(), both, create_graph=True)
        return {
            "discriminator": (F.softplus(of_rows) + F.softplus(-of_prior)).mean(),
            "temper": 0.5 * TEMPER * slope.square().sum(dim=1).mean(),
        }

    def phases(self) -> list[list[Turn]]:
        coders = [*self.encoder.parameters(), *self.decoder.parameters()]
        own = dict.fromkeys(coders)  # tied weights are both coders'
        adversary = list(self.discriminator.parameters())
        return [[Turn(adversary, self.discrimination), Turn(list(own), self.loss)]]


def discriminator(n_components: int, widths: Sequence[int], rng: Generator) -> DenseNetwork:
    """A network that tells codes apart, and says nothing at first.

    Parameters
    ----------
    n_components : int
        Width of the code.
    widths : sequence of int
        Hidden widths.
    rng : torch.Generator
        Where the weights come from.

    Returns
    -------
    network : DenseNetwork
        In float64, on the CPU.
    """
    sizes = [n_components, *widths, 1]
    layers = [linear(a, b, rng=rng) for a, b in pairwise(sizes)]
    nn.init.zeros_(layers[-1].weight)
    return DenseNetwork(layers, activation="leaky_relu", normalization=None, dropout=0.0)
