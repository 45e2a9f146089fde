"""The mathematics of an autoencoder: what every variant is built from, and what it may override."""

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn

from skae.nn._contrast import info_nce
from skae.nn._corruptions import Corruption, SwapNoise
from skae.nn._density import slopes
from skae.nn._layers import TransposedLinear
from skae.nn._losses import RECONSTRUCTIONS, identity
from skae.nn._networks import Coder, ForeignNetwork
from skae.nn._perceptual import PerceptualError

COUPLES_ROWS = (nn.modules.batchnorm._BatchNorm, SwapNoise)
"""What these do with a row depends on the other rows of the batch."""


FOREIGN = (ForeignNetwork, PerceptualError)
"""They hold modules of the user's, who alone knows what these do."""


class Turn(NamedTuple):
    """One player's move in a training step: minimise `loss` over `parameters`.

    Parameters
    ----------
    parameters : list of nn.Parameter
        What moves; everything else stands still in this turn. No two turns of a phase share any.
    loss : callable of (x, rng, weight)
        Named terms of the loss on a batch, in nats per sample; their sum is minimised. The weight
        is that of each cell, shaped like x, or None if all count alike.
    stacked : bool, default=False
        Whether the first dimension of parameters and losses tells the members of a stack apart.
    """

    parameters: list[nn.Parameter]
    loss: Callable[[Tensor, Generator, Tensor | None], dict[str, Tensor]]
    stacked: bool = False


class Autoencoder(nn.Module):
    r"""An encoder and a decoder trained to give back what they are given.

    .. math:: \min \; \mathbb{E}_x \, \ell\bigl(g(f(\tilde x)), x\bigr) + \mathrm{penalty}(x, z),
        \qquad z = f(\tilde x), \quad \tilde x = \mathrm{corrupt}(x)

    A variant overrides `penalty`, `encode`, `loss` or `phases`, and never the loop.

    Parameters
    ----------
    encoder, decoder : Coder
        Maps from data to codes and from codes to the output that the loss compares.
    loss : key of ``RECONSTRUCTIONS``, default="squared_error"
        The reconstruction error and its link.
    corruption : Corruption or None, default=None
        What the encoder sees of a row in training.
    trim : float in [0, 0.5), default=0.0
        Share of a batch's rows, those with the largest errors, that does not teach.
    contrast_weight : float, default=0.0
        Of the term that tells two corruptions of a row from those of others.
    temperature : float, default=1.0
        Of this term; see `info_nce`.
    perceptual : PerceptualError or None, default=None
        What compares reconstructions with rows in the place of the loss.

    Attributes
    ----------
    progress : float or Tensor of shape (), in [0, 1]
        The share of training that is done; the trainer sets it before every step.
    is_likelihood : bool
        Whether `error` is a negative log-likelihood: it has no natural zero then.
    squares : bool
        Whether the loss is, but for what does not depend on the decoder, that of reconstructions.
    stacks : bool
        Whether many of a kind can be trained as one, by `torch.func.vmap`: a loss may neither ask
        for a number that is not there yet nor change buffers.
    keeps_networks : bool
        Whether networks do more than they say, so that none is left out for being silent.
    """

    progress: float | Tensor = 1.0
    is_likelihood = False
    squares = True
    stacks = True
    keeps_networks = False

    def __init__(
        self,
        encoder: Coder,
        decoder: Coder,
        *,
        loss: str = "squared_error",
        corruption: Corruption | None = None,
        trim: float = 0.0,
        contrast_weight: float = 0.0,
        temperature: float = 1.0,
        perceptual: PerceptualError | None = None,
    ):
        super().__init__()
        self.encoder, self.decoder, self.corruption = encoder, decoder, corruption
        self.trim, self.contrast_weight, self.temperature = trim, contrast_weight, temperature
        self.perceptual = perceptual
        self.reconstruction = RECONSTRUCTIONS[loss]

    def encode(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        """Codes of shape (n, n_components); without `rng`, the ones that `transform` returns."""
        return self.encoder(x, rng)

    def decode(self, z: Tensor) -> Tensor:
        """Points of data space, of shape (n, n_features), for codes."""
        return self.reconstruction.link(self.output(z))

    def output(self, z: Tensor, rng: Generator | None = None) -> Tensor:
        """What the loss compares with x: the same before the link."""
        return self.decoder(z, rng)

    def slopes(self, z: Tensor, directions: Tensor) -> Tensor:
        """Derivatives of `decode` along some directions.

        Parameters
        ----------
        z : Tensor of shape (n, n_components), float64
            Where.
        directions : Tensor of shape (n_directions, n_components)
            Along what, each as long as a code of its kind may be.

        Returns
        -------
        J : Tensor of shape (n, n_directions, n_features), or (1, n_directions, n_features)
            One for all where a linear path is all that speaks. By the chain rule, which takes half
            as long as other ways, if all that decodes is a chain of layers.
        """
        own = type(self).decode is Autoencoder.decode and type(self).output is Autoencoder.output
        chained = own and self.reconstruction.link is identity and self.decoder.is_chain
        if chained and not torch.compiler.is_exporting():
            return self.decoder.slopes(z, directions)
        return slopes(self.decode, z, directions)

    def corrupt(
        self, x: Tensor, rng: Generator, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """What the encoder sees of x, and what cells weigh in the loss, given what they do in x."""
        if self.corruption is None:
            return x, weight
        seen, hit = self.corruption(x, rng)
        if self.corruption.emphasis == 0:
            return seen, weight
        emphasis = torch.ones_like(x).where(hit, 1 - self.corruption.emphasis)
        return seen, emphasis if weight is None else emphasis * weight

    def penalty(self, x: Tensor, z: Tensor, rng: Generator) -> dict[str, Tensor]:
        """Named terms, in nats, that are added to the errors: of each sample, or of all alike."""
        return {}

    def compare(self, output: Tensor, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """Error of each sample, of shape (n,), with the weight of each cell."""
        if self.perceptual is not None:
            return self.perceptual(self.reconstruction.link(output), x, weight)
        return weighted(self.reconstruction.error(output, x), weight).sum(dim=-1)

    def loss(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> dict[str, Tensor]:
        """Named terms, in nats per sample of the batch; training minimises their sum."""
        seen, counted = self.corrupt(x, rng, weight)
        z = self.encode(seen, rng)
        error = self.compare(self.output(z, rng), x, counted)
        rows = self.teaching(error)
        terms = dict(self.penalty(x[rows], z[rows], rng))
        if self.contrast_weight > 0:
            known = None if weight is None else weight[rows]
            terms["contrast"] = self.contrast(x[rows], z[rows], rng, known, rng)
        # along the rows alone: in a stack of layers, members stand before them
        means = {name: term.mean() for name, term in terms.items()}
        return {"reconstruction": error[rows].mean(dim=-1), **means}

    def contrast(
        self,
        x: Tensor,
        z: Tensor,
        rng: Generator,
        weight: Tensor | None = None,
        dropout: Generator | None = None,
    ) -> Tensor:
        """Charge for each row whose codes z are taken for another's second view, of shape (n,)."""
        other = self.encode(self.corrupt(x, rng, weight)[0], dropout)
        return self.contrast_weight * info_nce(z, other, self.temperature)

    def teaching(self, errors: Tensor) -> Any:
        """Which rows of a batch count: not the share with the largest errors, in any term."""
        if self.trim == 0:
            return slice(None)
        n_kept = max(1, round((1 - self.trim) * len(errors)))
        return errors.topk(n_kept, largest=False).indices

    def error(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> Tensor:
        """What training minimises, for each sample, of shape (n,), as on held-out rows."""
        seen, counted = self.corrupt(x, rng, weight)
        z = self.encode(seen)
        error = self.compare(self.output(z), x, counted)
        error = error + sum(self.penalty(x, z, rng).values())
        return error + self.contrast(x, z, rng, weight) if self.contrast_weight > 0 else error

    def reconstruction_error(
        self,
        x: Tensor,
        rng: Generator,
        weight: Tensor | None = None,
        mean: Tensor | None = None,
    ) -> Tensor:
        """The error of reconstructions alone, of shape (n,), or that of always saying `mean`."""
        seen, weight = self.corrupt(x, rng, weight)
        if mean is None:
            return self.compare(self.output(self.encode(seen)), x, weight)
        return self.compare(self.reconstruction.inverse_link(mean)[0].expand_as(x), x, weight)

    @property
    def couples_rows(self) -> bool:
        """Whether the loss of a batch is more than the mean of the losses of its parts."""
        coupled = self.trim > 0 or self.contrast_weight > 0
        return coupled or any(isinstance(part, COUPLES_ROWS) for part in self.modules())

    @property
    def is_capturable(self) -> bool:
        """Whether steps can be captured and replayed: what they do depends on tensors alone."""
        return self.stacks and not any(isinstance(part, FOREIGN) for part in self.modules())

    def phases(self) -> list[list[Turn]]:
        """Consecutive stages of training, each the turns taken on every batch."""
        return [[Turn([p for p in self.parameters() if p.requires_grad], self.loss)]]

    @torch.no_grad()
    def start_at(
        self,
        mean: Tensor,
        axes: Tensor,
        seen_mean: Tensor | None = None,
        reader: Tensor | None = None,
    ) -> None:
        r"""Make the linear paths a linear autoencoder.

        .. math:: z = A (\tilde x - \tilde\mu), \qquad
            \hat x = h^{-1}(\mu) + \mathrm{diag}\bigl((h^{-1})'(\mu)\bigr) V^\top z

        to first order around the mean, and exactly for the identity link :math:`h`. Without
        corruption A is V and this is PCA.

        Parameters
        ----------
        mean : Tensor of shape (n_features,)
            :math:`\mu`, of the data.
        axes : Tensor of shape (n_components, n_features)
            Orthonormal axes :math:`V`, one a row.
        seen_mean : Tensor of shape (n_features,) or None, default=None
            :math:`\tilde\mu`, of what the encoder sees; None is the data's.
        reader : Tensor of shape (n_components, n_features) or None, default=None
            :math:`A`; None is V.
        """
        seen_mean = mean if seen_mean is None else seen_mean
        reader = axes if reader is None else reader
        if isinstance(self.decoder.path, TransposedLinear):  # half of the shrinkage on either side
            reader = axes * reader.norm(dim=1, keepdim=True).sqrt()
        offset, slope = self.reconstruction.inverse_link(mean)
        self.set_paths((reader, -reader @ seen_mean), (slope[:, None] * axes.T, offset))

    @property
    def writer(self) -> Any:
        """The layer that holds the weights of the decoder's linear path."""
        return self.decoder.path

    @torch.no_grad()
    def set_paths(self, reader: tuple[Tensor, Tensor], writer: tuple[Tensor, Tensor]) -> None:
        """Set weight and bias of the encoder's and of the decoder's linear path."""
        encoder, decoder = self.encoder.path, self.writer
        encoder.weight.copy_(reader[0])
        encoder.bias.copy_(reader[1])
        decoder.bias.copy_(writer[1])
        if not isinstance(decoder, TransposedLinear):
            decoder.weight.copy_(writer[0])
        if self.decoder.network is not None:
            # a tied network does not end in zeros, but what it says at the start is constant
            silence = reader[0].new_zeros(1, decoder.in_features)
            decoder.bias.sub_(self.decoder.network(silence)[0])


def weighted(cells: Tensor, weight: Tensor | None) -> Tensor:
    """Errors of cells times their weights; None is 1."""
    return cells if weight is None else weight * cells
