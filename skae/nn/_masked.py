"""The masked autoencoder: an encoder that knows which cells it is not shown."""

import torch
from torch import Generator, Tensor

from skae.nn._canonical import Canonical
from skae.nn._module import Autoencoder


class MaskedAutoencoder(Autoencoder):
    r"""An autoencoder that predicts cells from the others of their row.

    .. math:: \min \; \mathbb{E}_{x, m} \sum_j
        \bigl(m_j + (1 - e)(1 - m_j)\bigr)\, \ell_j\bigl(g(f(x \odot (1 - m), m)), x\bigr)

    where m is 1 for cells that the corruption hides and e is its emphasis: 1 counts hidden cells
    only. To the encoder hidden cells, and those that are missing, are NaN, of which it is told
    where they are. A corruption that puts other values in the place of cells works as elsewhere.

    Parameters
    ----------
    encoder, decoder : Coder
        The encoder takes rows with gaps.
    **settings
        Of `Autoencoder`.
    """

    def corrupt(
        self, x: Tensor, rng: Generator, weight: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        hidden = torch.zeros_like(x, dtype=torch.bool) if weight is None else weight == 0
        if self.corruption is None or not self.corruption.hides:
            seen, weight = super().corrupt(x, rng, weight)
            return seen.masked_fill(hidden, torch.nan), weight
        hit = self.corruption.which(x, rng)
        emphasis = torch.ones_like(x).where(hit, 1 - self.corruption.emphasis)
        seen = x.masked_fill(hit | hidden, torch.nan)
        return seen, emphasis if weight is None else emphasis * weight

    @torch.no_grad()
    def start_at(
        self,
        mean: Tensor,
        axes: Tensor,
        seen_mean: Tensor | None = None,
        reader: Tensor | None = None,
    ) -> None:
        """Start as `Autoencoder` does, which is shown the noise's filling for a hidden cell."""
        super().start_at(mean, axes, seen_mean, reader)
        filled = mean if self.corruption is None else self.corruption.filled()
        path = self.encoder.path
        path.told.copy_(path.weight * filled)


class GapCanonical(Canonical):
    """As `Canonical`, but codes are of rows with their gaps, of which the encoder is told."""

    def encode(self, x: Tensor) -> Tensor:
        shown = self.standardize(x).masked_fill(x.isnan(), torch.nan)
        return self.code_map(self.autoencoder.encode(shown))
