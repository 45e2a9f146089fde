"""Autoencoders with a code narrower than the data: the density over code and residual."""

from copy import deepcopy
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, ClassVar

from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skae.autoencoders._base import BaseAutoencoder
from skae.autoencoders._canonical import PROBES
from skae.autoencoders._density import DENSITIES, code_density
from skae.autoencoders._parameters import Parameters
from skae.autoencoders._reading import MAX_SLOPES
from skae.nn import PerceptualError
from skae.training import to_tensor


@dataclass(eq=False, repr=False, kw_only=True)
class BottleneckAutoencoder(BaseAutoencoder):
    r"""What those have in common whose score is a density over the code and its residual.

    Parameters
    ----------
    density : {"isotropic", "diagonal", "full", "mixture"}, default="isotropic"
        What `score_samples` takes the pair of code and residual for: "isotropic" has one variance
        for all residuals, as probabilistic PCA; "diagonal" one for each feature, as factor
        analysis; "full" one shrunk covariance for code and residual together; "mixture" is five
        Gaussians that share one. The last two are for tables: beyond 2,048 columns of code and
        residual they are "diagonal".
    support_fraction : float in (0, 1], default=1.0
        Share of the training rows, the most central ones, that the density is fitted to. Below 1 it
        is robust against outliers among them.
    contrast_weight : float, default=0.0
        What is charged, for each nat, where two corruptions of a row have codes that are not told
        to belong together among those of a batch (InfoNCE, as in SCARF): codes, then, are alike
        for whatever `corruption` leaves the same. At least 0; above 0 it needs `corruption`.
    temperature : float, default=1.0
        What cosines between codes are divided by in this charge, positive: the lower, the more the
        nearest other rows matter.
    perceptual : torch.nn.Module or None, default=None
        A module whose features reconstructions are to agree in with rows, by half the squared
        error, in the place of `loss`, of which the link stays. It maps (n, n_features), in the
        units of X, to anything of n rows; it is copied, and does not learn.
    """

    density: str = "isotropic"
    support_fraction: float = 1.0
    contrast_weight: float = 0.0
    temperature: float = 1.0
    perceptual: nn.Module | None = None

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **Parameters._parameter_constraints,
        "density": [StrOptions(set(DENSITIES))],
        "support_fraction": [Interval(Real, 0, 1, closed="right")],
        "contrast_weight": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "perceptual": [nn.Module, None],
    }

    def _check_architecture(self):
        super()._check_architecture()
        if self.contrast_weight > 0 and self.corruption is None:
            raise ValueError(
                f"contrast_weight={self.contrast_weight} tells two corruptions of a row from those "
                "of others, but corruption=None; pass a corruption, 'swap' for tables."
            )

    def _fitting(self, table, units, random_state, checkpoint):
        fitting = super()._fitting(table, units, random_state, checkpoint)

        def architecture(n_components: int) -> dict[str, Any]:
            made = fitting.architecture(n_components)
            own: dict[str, Any] = {
                "contrast_weight": self.contrast_weight,
                "temperature": self.temperature,
            }
            if self.perceptual is not None:
                own["perceptual"] = (deepcopy(self.perceptual).cpu(), *units)
            return made | {"module": made["module"] | own}

        return replace(fitting, architecture=architecture)

    @classmethod
    def _build(cls, architecture, rng):
        module = dict(architecture["module"])
        if "perceptual" in module:
            features, location, scale = module["perceptual"]
            module["perceptual"] = PerceptualError(features, to_tensor(location), float(scale))
        return super()._build(architecture | {"module": module}, rng)

    def _density(self, reading, noise_variance):
        W, R = reading.codes(), reading.residuals
        k, d = W.shape[1], R.shape[1]
        return code_density(
            self.density,
            W,
            R,
            reading.jacobian,
            code_std=reading.code_std,
            largest=float(reading.axes.variance.max()),
            support_fraction=self.support_fraction,
            seed=reading.seed,
            n_probes=max(1, min(max(32, PROBES // k), MAX_SLOPES // (k * d))),
        )
