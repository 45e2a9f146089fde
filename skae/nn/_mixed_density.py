"""How likely a row of numbers and categories is."""

from collections.abc import Callable
from math import log, pi
from typing import Any, NamedTuple

import torch
from torch import Tensor

from skae.nn._canonical import Canonical
from skae.nn._density import slopes
from skae.nn._mixed import MixedReconstruction
from skae.nn._tensors import Tensors

N_STEPS = 4
"""Of Fisher scoring, from the encoder's code to the most likely one; a linear model takes one."""


class Posterior(NamedTuple):
    """A code as rows see it: normal around the most likely one.

    Parameters
    ----------
    w : Tensor of shape (n, n_components)
        The most likely code.
    log_joint : Tensor of shape (n,)
        Log-likelihood of row and code.
    precision : Tensor of shape (n, n_components, n_components)
        What the row and the prior say of the code.
    slopes : Tensor of shape (n, n_components, n_cells)
        Derivatives of the decoder's output.
    """

    w: Tensor
    log_joint: Tensor
    precision: Tensor
    slopes: Tensor


class MixedDensity(Tensors):
    r"""A normal code, and numbers and categories that are independent given the code.

    .. math:: p(x) = \int \mathcal N(w; 0, S) \prod_j p\bigl(x_j \mid g(w)\bigr)\, dw

    a normal density with noise :math:`\psi_j` for a number and the probability of its category for
    the others, by Laplace's approximation at the most likely code [1]_. Missing entries leave the
    product. With a linear decoder and numbers alone it is exact, the density of factor analysis.

    Parameters
    ----------
    code_std : Tensor of shape (n_components,)
        Standard deviations that make w of a code.
    prior_variance : Tensor of shape (n_components,)
        :math:`S`, a diagonal.
    noise_variance : Tensor of shape (n_numeric,)
        :math:`\psi`, in the units of cells.

    References
    ----------
    .. [1] Tierney & Kadane (1986). Accurate approximations for posterior moments and marginal
       densities. JASA 81.
    """

    code_std: Tensor
    prior_variance: Tensor
    noise_variance: Tensor

    def forward(
        self,
        w: Tensor,
        y: Tensor,
        known: Tensor,
        output: Callable[[Tensor], Tensor],
        columns: MixedReconstruction,
    ) -> Tensor:
        """Log-likelihood of rows.

        Parameters
        ----------
        w : Tensor of shape (n, n_components), float64
            The encoder's codes over their standard deviations.
        y : Tensor of shape (n, n_cells)
            Cells, without gaps.
        known : Tensor of shape (n, n_cells)
            1 where a cell counts, 0 where it is missing.
        output : callable of codes such as w
            The decoder's, before the link.
        columns : MixedReconstruction
            What the cells are.

        Returns
        -------
        log_likelihood : Tensor of shape (n,)
            In nats.
        """
        with torch.no_grad():  # at the most likely code, its own change makes no difference
            found = self.posterior(w.detach(), y.detach(), known, output, columns)
            root, failed = torch.linalg.cholesky_ex(found.precision)
            volume = root.diagonal(dim1=1, dim2=2).log().sum(dim=1).where(failed == 0, 0.0)
        log_joint = self.log_joint(found.w, y, known, output(found.w), columns)
        return log_joint + 0.5 * w.shape[1] * log(2 * pi) - volume

    def log_joint(
        self, w: Tensor, y: Tensor, known: Tensor, output: Tensor, columns: MixedReconstruction
    ) -> Tensor:
        """Log-likelihoods of rows together with codes, of shape (n,)."""
        n_numeric, variance = columns.n_numeric, self.noise_variance
        numbers = (output - y)[:, :n_numeric].square() / variance + (2 * pi * variance).log()
        cells = torch.cat([0.5 * numbers, columns.nats(output, y)[:, n_numeric:]], dim=1)
        prior = 0.5 * (w.square() / self.prior_variance + (2 * pi * self.prior_variance).log())
        # a cell that is missing may be anything, even infinitely far
        return -torch.where(known > 0, cells, 0.0).sum(dim=1) - prior.sum(dim=1)

    def posterior(
        self,
        w: Tensor,
        y: Tensor,
        known: Tensor,
        output: Callable[[Tensor], Tensor],
        columns: MixedReconstruction,
    ) -> Posterior:
        """What rows say of their codes; see `forward`."""
        length = w.new_ones(len(w), 1)
        here = output(w)
        value = self.log_joint(w, y, known, here, columns)
        for _ in range(N_STEPS):
            gradient, precision, _ = self.derivatives(w, y, known, here, output, columns)
            step, failed = torch.linalg.solve_ex(precision, gradient)
            trial = w + length * step.where((failed == 0)[:, None], 0.0)
            there = output(trial)
            trial_value = self.log_joint(trial, y, known, there, columns)
            better = trial_value > value
            w = torch.where(better[:, None], trial, w)
            here = torch.where(better[:, None], there, here)
            value = torch.where(better, trial_value, value)
            length = torch.where(better[:, None], 1.0, 0.25 * length)
        _, precision, J = self.derivatives(w, y, known, here, output, columns)
        return Posterior(w, value, precision, J)

    def derivatives(
        self,
        w: Tensor,
        y: Tensor,
        known: Tensor,
        here: Tensor,
        output: Callable[[Tensor], Tensor],
        columns: MixedReconstruction,
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Gradient of `log_joint`, Fisher's information with the prior's, slopes of the output."""
        n_numeric, identity = (
            columns.n_numeric,
            torch.eye(w.shape[1], dtype=w.dtype, device=w.device),
        )
        J = slopes(output, w, identity)
        J = J.nan_to_num(nan=0.0, posinf=0.0, neginf=0.0)  # too far out to be told apart
        share = columns.probabilities(here)
        target = columns.values(y)[:, n_numeric:]
        pull = torch.cat([(y - here)[:, :n_numeric] / self.noise_variance, target - share], dim=1)
        weight = torch.cat([(1 / self.noise_variance).expand(len(w), -1), share], dim=1) * known
        gradient = (J @ torch.where(known > 0, pull, 0.0)[:, :, None])[:, :, 0]
        gradient = gradient - w / self.prior_variance
        # of a softmax: diag(p) - p p'
        mixed = (J[:, :, n_numeric:] * weight[:, None, n_numeric:]).split(
            columns.categorical, dim=2
        )
        means = [part.sum(dim=2) for part in mixed]
        precision = (J * weight[:, None]) @ J.mT + (1 / self.prior_variance).diag()
        if means:
            mean = torch.stack(means, dim=2)
            precision = precision - mean @ mean.mT
        return gradient, precision, J


class MixedCanonical(Canonical):
    """An autoencoder of mixed cells, for rows of numbers and codes of categories."""

    densities = (MixedDensity,)

    @classmethod
    def of(cls, autoencoder: Any, tensors: dict[str, Tensor]) -> Canonical:
        """The module that some tensors, by name, were taken from."""
        module = super().of(autoencoder, tensors)
        for name, _ in autoencoder.reconstruction.named_buffers():
            tensor = tensors[f"autoencoder.reconstruction.{name}"]
            setattr(autoencoder.reconstruction, name, tensor)
        return module

    @property
    def columns(self) -> Any:
        """What the cells are."""
        return self.autoencoder.reconstruction

    def standardize(self, x: Tensor) -> Tensor:
        """Cells without gaps."""
        cells = self.columns.cells(x)
        return cells if self.fill is None else self.fill(cells)

    def complete(self, x: Tensor) -> Tensor:
        """Rows without gaps."""
        return torch.where(x.isnan(), self.columns.rows(self.standardize(x)), x)

    def decode(self, z: Tensor) -> Tensor:
        """Rows of the likeliest categories."""
        return self.columns.rows(self.autoencoder.decode(self.code_map.undo(z)))

    def log_density(self, x: Tensor) -> Tensor:
        """Log-likelihoods of shape (n,), in nats; of densities in the units of the data."""
        known = (~self.columns.cells(x).isnan()).to(x.dtype)
        return self.log_density_of_cells(self.standardize(x), known)

    def log_density_of_cells(self, y: Tensor, known: Tensor | None = None) -> Tensor:
        """The same for cells without gaps, of which some may not be known."""
        known = torch.ones_like(y) if known is None else known
        z = self.autoencoder.encode(y)
        w = self.code_map(z) / self.density.code_std

        def output(w: Tensor) -> Tensor:
            return self.autoencoder.output(self.code_map.undo(w * self.density.code_std))

        n_numeric = self.columns.n_numeric
        units = known[:, :n_numeric] @ self.columns.width[:n_numeric].log()
        return self.density(w, y, known, output, self.columns) - units

    def probabilities(self, z: Tensor) -> Tensor:
        """Of each category, of shape (n, n_cells - n_numeric), for codes."""
        return self.columns.probabilities(self.autoencoder.output(self.code_map.undo(z)))

    def cell_errors(self, x: Tensor) -> Tensor:
        """How far entries are from their reconstructions, shaped like x; NaN where missing.

        Distances of numbers, in their units, and what is left of a certainty for a category.
        """
        columns = self.columns
        target, y = columns.cells(x), self.standardize(x)
        found = self.autoencoder.decode(self.autoencoder.encode(y))
        gap = (target - found)[:, : columns.n_numeric].abs() * columns.width[: columns.n_numeric]
        _, _, hits = columns.parts(columns.values(target))
        _, _, shares = columns.parts(columns.values(found))
        n, n_binary = columns.n_numeric, columns.n_binary
        coins = (columns.values(target) - columns.values(found))[:, n : n + n_binary].abs()
        misses = [
            1 - (hit * share).sum(dim=1, keepdim=True)
            for hit, share in zip(hits, shares, strict=True)
        ]
        return torch.cat([gap, coins, *misses], dim=1)[:, columns.place]
