"""The ladder: noise at every layer, lateral connections past the code, classes at the top."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skae.nn._canonical import Canonical
from skae.nn._layers import dropout, linear
from skae.nn._module import Autoencoder
from skae.nn._networks import Coder, DenseNetwork


class Climbed(NamedTuple):
    """What the encoder makes of rows, from the bottom to the top.

    Parameters
    ----------
    layers : list of Tensor of shape (n, width)
        What the activations of the hidden layers are shown, normalised, with its noise.
    top : Tensor of shape (n, width)
        The last hidden layer's activations; the code where there is none.
    code : Tensor of shape (n, n_components)
        The code.
    """

    layers: list[Tensor]
    top: Tensor
    code: Tensor

    def of(self, rows: Any) -> "Climbed":
        """The same of some rows."""
        return Climbed([z[rows] for z in self.layers], self.top[rows], self.code[rows])


class Lateral(nn.Module):
    r"""A connection from a layer of the encoder to the one of the decoder that mirrors it.

    .. math:: \hat z = u + v(u) \odot (\tilde z - \bar z), \qquad
        v(u) = a \odot \sigma(b \odot u + c) + d \odot u + e

    with u what comes down from above, :math:`\tilde z` what comes from the side, and
    :math:`\bar z` what u says it will be. Gains v start at zero, and so the connection is silent;
    so it is wherever nothing comes from the side but what is expected. That is the estimate of [1]_
    with the prior mean u itself, to which a normalised layer has come by affine maps already.

    Parameters
    ----------
    width : int
        Of the layer.

    References
    ----------
    .. [1] Rasmus et al. (2015). Semi-supervised learning with ladder networks, section
       4.1. NeurIPS.
    """

    def __init__(self, width: int):
        super().__init__()
        zeros = torch.zeros(width, dtype=torch.float64, device="cpu")
        self.a, self.c, self.d, self.e = (nn.Parameter(zeros.clone()) for _ in range(4))
        self.b = nn.Parameter(zeros + 1)

    def forward(self, u: Tensor, z: Tensor, expected: Tensor) -> Tensor:
        gain = self.a * torch.sigmoid(self.b * u + self.c) + self.d * u + self.e
        return u + gain * (z - expected)


class Classes(nn.Module):
    r"""The top of a ladder with labels: probabilities of classes, and the way down from them.

    .. math:: p = \mathrm{softmax}(\gamma \odot N(R h) + \beta), \qquad u = W p + w

    where N gives each class's score the mean 0 and the variance 1 over a batch. So no class can be
    forgotten, which a few labels alone do not see to.

    Parameters
    ----------
    n_top : int
        Width of h, what is read.
    n_classes : int
        How many there are.
    n_below : int
        Width of u, what goes down.
    rng : torch.Generator
        Where the weights come from.
    """

    def __init__(self, n_top: int, n_classes: int, n_below: int, rng: Generator):
        super().__init__()
        self.reader = linear(n_top, n_classes, rng=rng)
        self.norm = nn.BatchNorm1d(n_classes, dtype=torch.float64, device="cpu")
        self.writer = linear(n_classes, n_below, rng=rng)

    def forward(self, top: Tensor) -> Tensor:
        """Logits of shape (n, n_classes)."""
        return self.norm(self.reader(top))


class LadderAutoencoder(Autoencoder):
    r"""An autoencoder that denoises at every layer, with connections from layer to layer.

    .. math:: \min \; \mathbb{E} \; \ell\bigl(g(\tilde z), x\bigr)
        + \lambda_0\, \ell\bigl(\hat z_0, x\bigr)
        + \sum_{i \ge 1} \lambda_i \frac{d}{2 d_i} \bigl\| \hat z_i - z_i \bigr\|^2
        - w\, d\, \log \tilde p_y

    with :math:`z_i` the i-th of the encoder's layers, of width :math:`d_i`, :math:`\tilde z_i` the
    same of a corrupted row with noise at each hidden layer, and :math:`\hat z_i` what the decoder
    makes of :math:`\tilde z_i` and of what comes down from :math:`\hat z_{i+1}`. It comes down from
    the classes' probabilities :math:`\tilde p` where there are classes, and otherwise from the
    code. The first term is the denoising autoencoder's: through the code alone, with nothing from
    the side. Cross-entropies are counted for the rows with a label.

    Parameters
    ----------
    encoder, decoder : Coder
        With dense networks of which one has the widths of the other in reverse; with others only
        the row itself is denoised.
    n_features : int
        :math:`d`.
    layer_weights : sequence of float
        :math:`\lambda_0, \lambda_1, \ldots`; the last one is that of all layers above, too.
    noise_level : float
        Standard deviation of the noise at hidden layers.
    classification_weight : float, default=0.0
        :math:`w`.
    labelled_share : float, default=1.0
        Of the rows, in training: how much more often than in truth a label is met is known by it.
    **settings
        Of `Autoencoder`.

    References
    ----------
    .. [1] Rasmus et al. (2015). Semi-supervised learning with ladder networks. NeurIPS.
    """

    stacks = False  # a stack hands out rows without labels
    keeps_networks = True  # classes are read off hidden layers, whether codes hear of them or not

    def __init__(
        self,
        encoder: Coder,
        decoder: Coder,
        *,
        n_features: int,
        layer_weights: Sequence[float],
        noise_level: float,
        classification_weight: float = 0.0,
        labelled_share: float = 1.0,
        **settings: Any,
    ):
        super().__init__(encoder, decoder, **settings)
        self.n_features, self.noise_level = n_features, noise_level
        self.classes: Classes | None = None
        self.classification_weight = classification_weight
        self.labelled_share = labelled_share
        widths = [n_features, *hidden_widths(encoder, decoder)]
        last = layer_weights[-1]
        self.layer_weights = [*layer_weights, *[last] * len(widths)][: len(widths)]
        self.laterals = nn.ModuleList(map(Lateral, widths if any(layer_weights) else []))

    @property
    def squares(self) -> bool:  # type: ignore[override]
        """Whether there is nothing to it but the code's way."""
        return len(self.laterals) == 0 and self.classes is None

    @property
    def depth(self) -> int:
        """How many hidden layers there are."""
        return len(self.layer_weights) - 1

    def end_in(self, n_classes: int, n_components: int, rng: Generator) -> None:
        """Put classes at the top of the ladder.

        Parameters
        ----------
        n_classes, n_components : int
            How many, and the width of the code, which they are read from if there is no layer.
        rng : torch.Generator
            Where the weights come from.
        """
        widths = hidden_widths(self.encoder, self.decoder)
        n_top, n_below = (widths[-1], widths[-1]) if widths else (n_components, self.n_features)
        self.classes = Classes(n_top, n_classes, n_below, rng)

    def told(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Rows, and the numbers of their classes if a last column tells them; -1 is unknown."""
        if x.shape[1] == self.n_features:
            return x, None
        return x[:, :-1], x[:, -1].long()

    def climb(self, x: Tensor, rng: Generator | None = None) -> Climbed:
        """Go up through the encoder; with `rng`, with noise and dropout at hidden layers."""
        network, h, layers = self.encoder.network, x, []
        if self.depth == 0:
            code = self.encoder(x, rng)
            return Climbed([], code, code)
        parts = network.layers, network.norms, network.joins, network.masks(x, rng)
        for layer, norm, join, mask in zip(*parts, strict=False):
            z = norm(layer(h))
            if rng is not None and self.noise_level > 0:
                z = z + self.noise_level * torch.empty_like(z).normal_(generator=rng)
            layers.append(z)
            y = network.activation(z)
            h = join(h, y if mask is None else y * mask)
        code = network.layers[-1](h)
        return Climbed(
            layers, h, code if self.encoder.path is None else self.encoder.path(x) + code
        )

    def encode(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        return self.climb(x, rng).code

    def logits(self, x: Tensor) -> Tensor:
        """Of the classes, of shape (n, n_classes), for rows without labels."""
        assert self.classes is not None
        return self.classes(self.climb(x).top)

    def descend(self, seen: Tensor, noisy: Climbed, rng: Generator) -> list[Tensor]:
        """Estimates of the row, in the output that the loss compares, and of the layers above it.

        Parameters
        ----------
        seen : Tensor of shape (n, n_features)
            Corrupted rows.
        noisy : Climbed
            What they have become.
        rng : torch.Generator
            Of dropout.

        Returns
        -------
        estimates : list of Tensor of shape (n, width)
            From the bottom to the top.
        """
        network, classes, estimates = self.decoder.network, self.classes, []
        if classes is not None:
            u = classes.writer(classes(noisy.top).softmax(dim=1))
        else:
            u = network.layers[0](noisy.code) if self.depth else self.output(noisy.code, rng)
        h = u
        for j in range(self.depth):
            i = self.depth - j
            u = network.norms[j](u)
            estimates.append(self.laterals[i](u, noisy.layers[i - 1], u))
            y = dropout(network.activation(estimates[-1]), network.dropout, rng)
            h = network.joins[j](h, y)
            u = network.layers[j + 1](h)
        if classes is None and self.depth and self.decoder.path is not None:
            u = u + self.decoder.path(noisy.code)
        estimates.append(self.laterals[0](u, seen, self.reconstruction.link(u)))
        return estimates[::-1]

    def loss(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> dict[str, Tensor]:
        x, label = self.told(x)
        seen, counted = self.corrupt(x, rng, weight)
        noisy, terms = self.climb(seen, rng), {}
        if label is not None:
            known = label >= 0
            terms["classification"] = self.surprise(noisy.top, label).sum() / known.sum().clamp(1)
            seen, x, noisy = seen[~known], x[~known], noisy.of(~known)
            weight, counted = (w if w is None else w[~known] for w in (weight, counted))
        error = self.compare(self.output(noisy.code, rng), x, counted)
        rows = self.teaching(error)
        errors = {"reconstruction": error}
        if self.contrast_weight > 0:
            errors["contrast"] = self.contrast(x, noisy.code, rng, weight, rng)
        if len(self.laterals):
            errors |= self.denoising(x, seen, noisy, rng, counted)
        return {name: term[rows].mean() for name, term in errors.items()} | terms

    def denoising(
        self,
        x: Tensor,
        seen: Tensor,
        noisy: Climbed,
        rng: Generator,
        counted: Tensor | None,
    ) -> dict[str, Tensor]:
        """What the layers' estimates cost for each row, of shape (n,), by names of layers."""
        row, *layers = self.descend(seen, noisy, rng)
        costs = {"layer_0": self.layer_weights[0] * self.compare(row, x, counted)}
        if any(self.layer_weights[1:]):
            clean = self.climb(x).layers
            for i, (z_hat, z) in enumerate(zip(layers, clean, strict=True), start=1):
                share = (z_hat - z).square().mean(dim=1) / 2
                costs[f"layer_{i}"] = self.layer_weights[i] * self.n_features * share
        return costs

    def surprise(self, top: Tensor, label: Tensor) -> Tensor:
        """What it costs not to have told the labels, of shape (n,); nothing where there is none."""
        assert self.classes is not None
        cost = F.cross_entropy(self.classes(top), label, ignore_index=-1, reduction="none")
        return self.classification_weight * self.n_features * cost

    def error(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> Tensor:
        x, label = self.told(x)
        error = super().error(x, rng, weight)
        if label is None:
            return error
        # a probability's squared error: one that is sure and wrong does not outweigh all others
        known = (label >= 0).to(x.dtype)
        missed = self.logits(x).softmax(dim=1) - F.one_hot(label.clamp(min=0), self.n_classes)
        share = known / self.labelled_share * missed.square().sum(dim=1) / 2
        return error + self.classification_weight * self.n_features * share

    @property
    def n_classes(self) -> int:
        """How many classes there are; 0 without any."""
        return 0 if self.classes is None else self.classes.reader.out_features

    def reconstruction_error(
        self,
        x: Tensor,
        rng: Generator,
        weight: Tensor | None = None,
        mean: Tensor | None = None,
    ) -> Tensor:
        return super().reconstruction_error(self.told(x)[0], rng, weight, mean)


class LadderCanonical(Canonical):
    """As `Canonical`, and it tells classes."""

    def probabilities(self, x: Tensor) -> Tensor:
        """Of the classes, of shape (n, n_classes)."""
        return self.autoencoder.logits(self.standardize(x)).softmax(dim=1)


def hidden_widths(encoder: Coder, decoder: Coder) -> list[int]:
    """Widths of the layers that a ladder has a connection at; none unless networks are dense."""
    if not all(isinstance(coder.network, DenseNetwork) for coder in (encoder, decoder)):
        return []
    return [layer.out_features for layer in encoder.network.layers[:-1]]
