"""Noises that an encoder learns to see through, and what the best linear map makes of each."""

from collections.abc import Callable, Sequence

import torch
from torch import Generator, Tensor, nn


def uniform(shape: Sequence[int], x: Tensor, rng: Generator) -> Tensor:
    """Numbers in [0, 1) on x's device, the same whatever torch's default dtype."""
    return torch.rand(shape, generator=rng, dtype=torch.float32, device=x.device)


class Corruption(nn.Module):
    r"""Replaces a share of the cells; a subclass says which cells, or by what.

    .. math:: \tilde x_{ij} = \begin{cases} r_{ij} & \text{with probability } p \\
        x_{ij} & \text{otherwise} \end{cases}

    Parameters
    ----------
    level : tuple of two floats
        Least and greatest share p; it is drawn anew for every batch.
    mean, zero, low, high : Tensor of shape (n_features,)
        Of each column, in the units of the module's input: its mean, what stands for 0 there, its
        least and its greatest value.
    emphasis : float in [0, 1], default=0.0
        What a cell that was left alone loses of its weight in the loss [1]_.
    image_shape : sequence of int or None, default=None
        Height, width and perhaps channels of the image that a row is; None is a series.
    source : sequence of int or None, default=None
        Which column each cell is from, where several share one: they are hit together. None is one
        each.

    References
    ----------
    .. [1] Vincent et al. (2010). Stacked denoising autoencoders, section 3.3. JMLR 11.
    """

    mean: Tensor
    zero: Tensor
    low: Tensor
    high: Tensor
    hides = False  # whether nothing is left of a cell, as nothing of it is put in its place

    def __init__(
        self,
        level: tuple[float, float],
        mean: Tensor,
        zero: Tensor,
        low: Tensor,
        high: Tensor,
        *,
        emphasis: float = 0.0,
        image_shape: Sequence[int] | None = None,
        source: Sequence[int] | None = None,
    ):
        super().__init__()
        self.source = source
        self.level, self.emphasis, self.image_shape = level, emphasis, image_shape
        for name, values in (("mean", mean), ("zero", zero), ("low", low), ("high", high)):
            self.register_buffer(name, values)

    def forward(self, x: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        """Corrupted rows, and which of their cells were hit, both shaped like x."""
        hit = self.which(x, rng)
        return torch.where(hit, self.values(x, rng), x), hit

    def which(self, x: Tensor, rng: Generator) -> Tensor:
        """Which cells to replace, at a level drawn for the batch."""
        return self.hits(x, self.draw_level(x, rng), rng)

    def draw_level(self, x: Tensor, rng: Generator) -> Tensor:
        """The batch's level, of shape (); it stays on the device."""
        low, high = self.level
        return low + (high - low) * uniform((), x, rng)

    def hits(self, x: Tensor, level: Tensor, rng: Generator) -> Tensor:
        """Which cells to replace: each by itself."""
        return self.drawn(lambda shape: uniform(shape, x, rng), x) < level

    def drawn(self, draw: Callable[[Sequence[int]], Tensor], x: Tensor) -> Tensor:
        """Draws for each cell of x, the same for those that share a column."""
        if self.source is None:
            return draw(x.shape)
        return draw((len(x), max(self.source) + 1))[:, self.source]

    def values(self, x: Tensor, rng: Generator) -> Tensor:
        """What to replace them by, in a shape that broadcasts to x's."""
        return self.mean

    def filled(self) -> Tensor:
        """What an encoder that knows this noise should be shown for a missing cell."""
        return self.mean

    # The best linear denoiser needs the first two moments of a clean row and a corrupted one.

    def value_moments(self, variance: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance of what replaces a cell, for columns of some variance."""
        return self.filled(), torch.zeros_like(variance)

    def kept(self) -> Tensor:
        """Probability that two cells are both left alone, of shape (n_features, n_features)."""
        kept = 1 - torch.linspace(*self.level, 101, dtype=torch.float64, device="cpu")
        both = kept.square().mean().expand(len(self.mean), len(self.mean)).clone()
        both.fill_diagonal_(float(kept.mean()))
        return both

    def moments(self, covariance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        r"""How corrupted rows vary, alone and together with clean ones.

        Parameters
        ----------
        covariance : Tensor of shape (n_features, n_features), float64
            Of clean rows, whose mean is `mean`.

        Returns
        -------
        seen_mean : Tensor of shape (n_features,)
            :math:`\mathbb{E}[\tilde x]`.
        cross : Tensor of shape (n_features, n_features)
            :math:`\mathrm{Cov}(x, \tilde x)`.
        seen : Tensor of shape (n_features, n_features)
            :math:`\mathrm{Cov}(\tilde x)`.

        References
        ----------
        .. [1] Chen et al. (2012). Marginalized denoising autoencoders for domain adaptation,
           section 3.2. ICML.
        """
        both, variance = self.kept().to(covariance.device), covariance.diagonal()
        kept = both.diagonal()
        value, value_variance = self.value_moments(variance)
        shift = value - self.mean
        seen = both * covariance + (both - torch.outer(kept, kept)) * torch.outer(shift, shift)
        second = kept * variance + (1 - kept) * (value_variance + shift**2)
        seen.diagonal().copy_(second - ((1 - kept) * shift) ** 2)
        return self.mean + (1 - kept) * shift, covariance * kept, seen


class GaussianNoise(Corruption):
    r"""Adds noise, :math:`\tilde x = x + \sigma \varepsilon`; the level is its deviation."""

    def forward(self, x: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        noise = torch.empty_like(x).normal_(generator=rng)
        return x + self.draw_level(x, rng) * noise, torch.ones_like(x, dtype=torch.bool)

    def moments(self, covariance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        low, high = self.level
        seen = covariance.clone()
        seen.diagonal().add_((low**2 + low * high + high**2) / 3)
        return self.mean, covariance, seen


class MeanMasking(Corruption):
    """Puts the column's mean in place of a cell."""

    hides = True


class ZeroMasking(Corruption):
    """Puts 0 in place of a cell."""

    hides = True

    def values(self, x: Tensor, rng: Generator) -> Tensor:
        return self.zero

    def filled(self) -> Tensor:
        return self.zero


class SaltAndPepper(Corruption):
    """Puts the column's least or greatest value in place of a cell, as a coin falls."""

    def values(self, x: Tensor, rng: Generator) -> Tensor:
        coin = self.drawn(lambda shape: uniform(shape, x, rng), x)
        return torch.where(coin < 0.5, self.low, self.high)

    def value_moments(self, variance: Tensor) -> tuple[Tensor, Tensor]:
        return (self.low + self.high) / 2, ((self.high - self.low) / 2) ** 2


class SwapNoise(Corruption):
    """Puts the value that another row of the batch has in that column in place of a cell."""

    def values(self, x: Tensor, rng: Generator) -> Tensor:
        rows = self.drawn(
            lambda shape: torch.randint(len(x), shape, generator=rng, device=x.device), x
        )
        return x.gather(0, rows)

    def value_moments(self, variance: Tensor) -> tuple[Tensor, Tensor]:
        return self.mean, variance


class BlockMasking(Corruption):
    """Puts the mean in place of a run of a series, or of a rectangle of an image."""

    hides = True

    def hits(self, x: Tensor, level: Tensor, rng: Generator) -> Tensor:
        n, n_features = x.shape
        height, width, *channels = self.image_shape or (1, n_features)
        side = level if height == 1 or width == 1 else level.sqrt()

        def run(length: int) -> Tensor:
            """One run in each row, of shape (n, length)."""
            if length == 1:
                return torch.ones(n, 1, dtype=torch.bool, device=x.device)
            covered = (side * length).round().clamp(1, length)
            start = uniform((n, 1), x, rng) * (length - covered + 1)
            place = torch.arange(length, device=x.device)
            return (place >= start.floor()) & (place < start.floor() + covered)

        block = run(height)[:, :, None] & run(width)[:, None, :]
        return block[..., None].expand(n, height, width, *channels or [1]).reshape(n, n_features)

    def kept(self) -> Tensor:
        rng = torch.Generator("cpu").manual_seed(0)  # a simulation; its rounding is 1 / sqrt(4096)
        x = torch.zeros(64, len(self.mean), dtype=torch.float64, device="cpu")
        hits = torch.cat([self.hits(x, self.draw_level(x, rng), rng) for _ in range(64)])
        kept = (~hits).double()
        return kept.T @ kept / len(kept)


CORRUPTIONS = {
    "gaussian": GaussianNoise,
    "masking_mean": MeanMasking,
    "masking_zero": ZeroMasking,
    "salt_and_pepper": SaltAndPepper,
    "swap": SwapNoise,
    "block": BlockMasking,
}
