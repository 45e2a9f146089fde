"""Autoencoders with a code narrower than the data: the density over code and residual."""

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from skae.autoencoders._base import BaseAutoencoder
from skae.autoencoders._canonical import MAX_SLOPES, PROBES
from skae.autoencoders._density import DENSITIES, code_density
from skae.autoencoders._parameters import Parameters


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
    """

    density: str = "isotropic"
    support_fraction: float = 1.0

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **Parameters._parameter_constraints,
        "density": [StrOptions(set(DENSITIES))],
        "support_fraction": [Interval(Real, 0, 1, closed="right")],
    }

    def _density(self, reading, noise_variance):
        W, R = reading.codes(), reading.residuals()
        k, d = W.shape[1], R.shape[1]
        return code_density(
            self.density,
            W,
            R,
            reading.decode,
            code_std=reading.code_std,
            largest=float(reading.axes.variance.max()),
            support_fraction=self.support_fraction,
            seed=reading.seed,
            n_probes=max(1, min(max(32, PROBES // k), MAX_SLOPES // (k * d))),
        )
