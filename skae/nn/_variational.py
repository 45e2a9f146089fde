"""The variational autoencoder: Gaussian posteriors, likelihoods with noise, and two bounds."""

from functools import partial
from math import log, pi
from typing import Any

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional as F

from skae.nn._layers import TransposedLinear
from skae.nn._likelihoods import LIKELIHOODS
from skae.nn._module import Autoencoder, weighted

FLOOR = 1e-6
"""Noise scale below which none is learned, in units of the data: a likelihood needs a floor."""

START_WEIGHT = 0.01
"""Share of the density that stays with the start: what bounds the harm on rows like no other."""

NOISE_RATE = 10.0
"""How much faster than a weight the logarithm of the noise moves."""


def kl_to_standard_normal(mean: Tensor, log_var: Tensor) -> Tensor:
    r"""Divergence of Gaussians from the standard normal, component by component.

    .. math:: \tfrac12 \left(\mu_j^2 + e^{s_j} - s_j - 1\right)

    Parameters
    ----------
    mean, log_var : Tensor of shape (n, n_components)
        Mean :math:`\mu` and log-variance :math:`s` of each code.

    Returns
    -------
    divergence : Tensor of shape (n, n_components)
        In nats, non-negative; zero only for mean 0 and variance 1.

    References
    ----------
    .. [1] Kingma & Welling (2014). Auto-encoding variational Bayes, appendix B. ICLR.
    """
    return 0.5 * (mean.square() + log_var.expm1() - log_var)


class VariationalAutoencoder(Autoencoder):
    r"""A latent variable model and its approximate posterior, trained on a lower bound.

    .. math:: \log p(x) \ge \mathbb{E}_{z \sim q(z | x)} \log p(x | z)
        - \beta\, \mathrm{KL}\bigl(q(z | x) \,\|\, \mathcal{N}(0, I)\bigr), \qquad
        q(z | x) = \mathcal{N}\bigl(\mu(x), \mathrm{diag}\, \sigma^2(x)\bigr)

    Parameters
    ----------
    encoder : Coder
        Gives means and log-variances, side by side: 2 n_components columns.
    decoder : Coder
        Gives the likelihood's location.
    n_components, n_features : int
        Widths of the code and of the data.
    noise : {"isotropic", "diagonal"}
        Whether all features share one noise scale.
    beta : float
        Weight of the divergence.
    kl_warm_up : float in [0, 1]
        Share of training over which that weight rises from 0.
    free_bits : float
        Nats that each component may say, on average over a batch, before it is charged.
    n_importance_samples : int
        Codes per row in training; with more than one the bound is the importance-weighted one.
    **settings
        ``loss`` and ``corruption`` of `Autoencoder`.

    Notes
    -----
    The start stays as it is, and the coders learn the departure from it: in units of the start's
    posterior deviations for codes, and of its noise for outputs. So a step is as large as it is
    uncertain, where one feature is known to a millionth and another hardly at all, and weight
    decay draws to the start.
    """

    is_likelihood = True
    squares = False  # the likelihood has a scale
    reader: Tensor
    offset: Tensor
    loadings: Tensor
    mean: Tensor
    code_scale: Tensor
    output_scale: Tensor

    def __init__(
        self,
        encoder,
        decoder,
        *,
        n_components: int,
        n_features: int,
        noise: str,
        beta: float,
        kl_warm_up: float,
        free_bits: float,
        n_importance_samples: int,
        **settings: Any,
    ):
        super().__init__(encoder, decoder, **settings)
        self.likelihood = LIKELIHOODS[settings["loss"]]
        self.beta, self.kl_warm_up, self.free_bits = beta, kl_warm_up, free_bits
        self.n_importance_samples = n_importance_samples
        self.tied = isinstance(decoder.path or decoder.network.layers[0], TransposedLinear)
        new = partial(torch.zeros, dtype=torch.float64, device="cpu")
        # the start, which stays, and the units in which the coders depart from it
        self.register_buffer("reader", new(n_components, n_features))
        self.register_buffer("offset", new(n_components))
        self.register_buffer("loadings", new(n_components, n_features))
        self.register_buffer("mean", new(n_features))
        self.register_buffer("code_scale", 1 + new(n_components))
        self.register_buffer("output_scale", 1 + new(n_features))
        shape = (n_features,) if noise == "diagonal" else ()
        self.log_noise = nn.Parameter(new(shape)) if self.likelihood.variance else None

    def posterior(self, x: Tensor, rng: Generator | None = None) -> tuple[Tensor, Tensor]:
        """Means and log-variances, both of shape (n, n_components)."""
        shift, growth = self.encoder(x, rng).chunk(2, dim=1)
        mean = torch.addmm(self.offset, x, self.reader.T) + self.code_scale * shift
        return mean, 2 * self.code_scale.log() + growth.clamp(-20.0, 20.0)

    def encode(self, x: Tensor, rng: Generator | None = None) -> Tensor:
        return self.posterior(x, rng)[0]

    def output(self, z: Tensor, rng: Generator | None = None) -> Tensor:
        # a tied decoder is the transpose of an encoder that has log-variances, too
        departure = self.decoder(F.pad(z, (0, z.shape[1])) if self.tied else z, rng)
        return torch.addmm(self.mean, z, self.loadings) + self.output_scale * departure

    @property
    def noise_scale(self) -> Tensor:
        """Of the likelihood, of shape (n_features,)."""
        if self.log_noise is None:
            return torch.ones_like(self.output_scale)
        scale = self.output_scale * (NOISE_RATE * self.log_noise).exp()
        return scale.clamp(min=FLOOR)

    def negative_log_likelihood(self, output: Tensor, x: Tensor, weight: Tensor | None = None):
        """Of rows given the decoder's outputs (..., n, n_features), in nats, of shape (..., n)."""
        x = x.expand_as(output)
        if self.log_noise is None:
            return self.compare(output, x, weight)
        scale = self.noise_scale
        cells = self.reconstruction.error(output / scale, x / scale) + scale.log()
        return weighted(cells + self.likelihood.log_normalizer, weight).sum(dim=-1)

    def draw(self, z: Tensor, rng: Generator | None) -> Tensor:
        """Rows for some codes, with noise from `rng`, or the likelihood's means without."""
        output = self.output(z)
        if rng is None:
            return self.reconstruction.link(output)
        return self.likelihood.draw(output, self.noise_scale, rng)

    @property
    def couples_rows(self) -> bool:
        return self.free_bits > 0 or super().couples_rows

    @property
    def warmth(self) -> float | Tensor:
        """The share of beta that counts at this point of training."""
        if self.kl_warm_up == 0:
            return 1.0
        return torch.as_tensor(self.progress / self.kl_warm_up).clamp(max=1.0)

    def loss(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> dict[str, Tensor]:
        x, seen, weight = self.observe(x, rng, weight)
        mean, log_var = self.posterior(seen, rng)
        beta = self.beta * self.warmth
        if self.n_importance_samples > 1:
            draws = self.draws(self.n_importance_samples, mean, rng)
            ratios = self.log_weights(x, mean, log_var, draws, beta=beta, weight=weight, rng=rng)
            error = -log_mean_exp(ratios)
            return {"bound": error[self.teaching(error)].mean()}
        z = mean + (0.5 * log_var).exp() * self.draws(1, mean, rng)[0]
        kl = kl_to_standard_normal(mean, log_var)
        error = self.negative_log_likelihood(self.output(z, rng), x, weight)
        rows = self.teaching(error + beta * kl.sum(dim=1))
        charge = beta * kl[rows].mean(dim=0).clamp(min=self.free_bits).sum()
        return {"reconstruction": error[rows].mean(), "kl": charge}

    def error(self, x: Tensor, rng: Generator, weight: Tensor | None = None) -> Tensor:
        x, seen, weight = self.observe(x, rng, weight)
        mean, log_var = self.posterior(seen)
        draws = self.draws(self.n_importance_samples, mean, rng)
        if self.n_importance_samples > 1:
            ratios = self.log_weights(x, mean, log_var, draws, beta=self.beta, weight=weight)
            return -self.defended(log_mean_exp(ratios), x, weight)
        output = self.output(mean + (0.5 * log_var).exp() * draws[0])
        kl = kl_to_standard_normal(mean, log_var).sum(dim=1)
        bound = -self.negative_log_likelihood(output, x, weight) - self.beta * kl
        return -self.defended(bound, x, weight)

    def observe(
        self, x: Tensor, rng: Generator, weight: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """A row, what the encoder sees of it, and what its cells weigh in the loss.

        Values between 0 and 1 are probabilities to a Bernoulli likelihood: 0 or 1 is drawn afresh.
        """
        if self.log_noise is None:
            x = torch.bernoulli(x, generator=rng)
        return x, *self.corrupt(x, rng, weight)

    @staticmethod
    def draws(n_draws: int, mean: Tensor, rng: Generator) -> Tensor:
        """Standard normal numbers of shape (n_draws, n, n_components)."""
        return mean.new_empty(n_draws, *mean.shape).normal_(generator=rng)

    def log_weights(
        self,
        x: Tensor,
        mean: Tensor,
        log_var: Tensor,
        draws: Tensor,
        *,
        beta: float | Tensor = 1.0,
        weight: Tensor | None = None,
        rng: Generator | None = None,
    ) -> Tensor:
        r"""Logarithms of importance weights, :math:`\log p(x | z) p(z) / q(z | x)`.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            Rows.
        mean, log_var : Tensor of shape (n, n_components)
            Their posteriors.
        draws : Tensor of shape (n_draws, n, n_components)
            Standard normal numbers; n may be 1, for the same ones for all rows.
        beta : float or Tensor of shape (), default=1.0
            Weight of :math:`\log p(z) / q(z | x)`.
        weight : Tensor of shape (n, n_features) or None
            Of the cells.
        rng : torch.Generator or None
            Of dropout.

        Returns
        -------
        log_weights : Tensor of shape (n_draws, n)
            In nats.
        """
        z = mean + (0.5 * log_var).exp() * draws
        ratio = 0.5 * (draws.square() + log_var - z.square()).sum(dim=2)
        output = self.output(z.flatten(0, 1), rng).unflatten(0, z.shape[:2])
        return beta * ratio - self.negative_log_likelihood(output, x, weight)

    def log_likelihood_bound(
        self, x: Tensor, draws: Tensor, *, importance: bool, weight: Tensor | None = None
    ) -> Tensor:
        """A lower bound on the log-likelihood of each row, of shape (n,), in nats.

        Parameters
        ----------
        x : Tensor of shape (n, n_features)
            Rows.
        draws : Tensor of shape (n_draws, n_components)
            Standard normal numbers, the same for all rows.
        importance : bool
            Whether to weigh the draws by importance [1]_ or to average over them (the ELBO).
        weight : Tensor of shape (n, n_features) or None
            0 for cells to leave out, 1 for the others.

        Returns
        -------
        bound : Tensor of shape (n,)
            In nats.

        References
        ----------
        .. [1] Burda, Grosse & Salakhutdinov (2016). Importance weighted autoencoders, eq. 8. ICLR.
        """
        mean, log_var = self.posterior(x)
        if importance:
            ratios = self.log_weights(x, mean, log_var, draws[:, None], weight=weight)
            return self.defended(log_mean_exp(ratios), x, weight)
        z = mean + (0.5 * log_var).exp() * draws[:, None]
        output = self.output(z.flatten(0, 1)).unflatten(0, z.shape[:2])
        kl = kl_to_standard_normal(mean, log_var).sum(dim=1)
        bound = -self.negative_log_likelihood(output, x, weight).mean(dim=0) - kl
        return self.defended(bound, x, weight)

    def defended(self, bound: Tensor, x: Tensor, weight: Tensor | None = None) -> Tensor:
        r"""The bound of a mixture with the start, :math:`(1 - w)\, p(x) + w\, p_0(x)`.

        Networks may say anything of rows unlike those they have seen. The start is a Gaussian, so
        that no row is less likely than under it by more than :math:`-\log w` nats.

        Parameters
        ----------
        bound : Tensor of shape (n,)
            On :math:`\log p(x)`, in nats.
        x : Tensor of shape (n, n_features)
            Rows.
        weight : Tensor of shape (n, n_features) or None
            Of the cells.

        Returns
        -------
        bound : Tensor of shape (n,)
            In nats; as given for a Bernoulli likelihood, which the start is not a density for.
        """
        if self.log_noise is None:
            return bound
        variance = self.output_scale.square() * self.likelihood.variance
        z = torch.addmm(self.offset, x, self.reader.T)
        residual = x - torch.addmm(self.mean, z, self.loadings)
        cells = weighted(residual.square() / variance + (2 * pi * variance).log(), weight)
        code = z.square().sum(dim=1) - 2 * self.code_scale.log().sum()
        start = -0.5 * (cells.sum(dim=1) + code)
        return torch.logaddexp(bound + log(1 - START_WEIGHT), start + log(START_WEIGHT))

    @torch.no_grad()
    def start_at(  # type: ignore[override]
        self, mean: Tensor, loadings: Tensor, noise: Tensor, nudge: Tensor
    ) -> None:
        r"""Start at a factor model, :math:`x = \mu + W^\top z + \varepsilon`, and its posterior:

        .. math:: \mu_j(x) = \frac{w_j^\top \Psi^{-1} (x - \mu)}{1 + g_j}, \qquad
            \sigma_j^2 = \frac{1}{1 + g_j}, \qquad g_j = w_j^\top \Psi^{-1} w_j

        Parameters
        ----------
        mean : Tensor of shape (n_features,)
            :math:`\mu`.
        loadings : Tensor of shape (n_components, n_features)
            :math:`W`, its rows orthogonal under :math:`\Psi^{-1}`.
        noise : Tensor of shape (n_features,)
            :math:`\Psi`, positive.
        nudge : Tensor of shape (n_components, n_features)
            What is added to the means that read nothing.
        """
        precision = loadings / noise
        gain = 1 + (precision * loadings).sum(dim=1)
        self.reader.copy_(precision / gain[:, None])
        self.offset.copy_(-self.reader @ mean)
        self.code_scale.copy_(gain.rsqrt())
        output, slope = self.reconstruction.inverse_link(mean)
        self.mean.copy_(output)
        self.loadings.copy_(slope * loadings)
        if self.log_noise is not None:
            self.output_scale.copy_((noise / self.likelihood.variance).sqrt())
        zero = mean.new_zeros(())
        departure = torch.cat([nudge, torch.zeros_like(nudge)])
        offset = -departure @ mean
        self.set_paths((departure, offset), (zero, zero))


def log_mean_exp(log_weights: Tensor) -> Tensor:
    """Logarithm of the mean of exponentials over the first dimension, without overflow."""
    return log_weights.logsumexp(dim=0) - log(len(log_weights))
