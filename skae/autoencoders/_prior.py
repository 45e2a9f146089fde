"""Autoencoders whose codes follow a prior: where they start, and new rows from them."""

from dataclasses import dataclass
from numbers import Real
from typing import ClassVar

import numpy as np
import torch
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from skae.autoencoders._bottleneck import BottleneckAutoencoder
from skae.autoencoders._canonical import own_axes
from skae.autoencoders._warnings import Idleness, silent_components
from skae.nn import PRIORS, Canonical
from skae.training import generator, to_numpy

FAINTEST = 1e-3
"""Least standard deviation, in units of the data's root mean square, that codes are divided by."""


@dataclass(eq=False, repr=False, kw_only=True)
class PriorAutoencoder(BottleneckAutoencoder):
    r"""What those have in common whose codes, of all rows together, follow a prior.

    Parameters
    ----------
    whiten : bool, default=False
        Whether components are divided by their standard deviations over the training rows;
        otherwise their unit is the prior's.
    prior : {"gaussian", "uniform", "mixture"}, default="gaussian"
        What codes are to follow. "gaussian" is the standard normal distribution, "uniform" the
        cube :math:`[-\sqrt3, \sqrt3]^k`. "mixture" is of 2 `n_components` Gaussians of deviation
        1/2, one on either side of the origin along each axis, for rows that come in groups. All
        have mean 0 and covariance I.
    """

    prior: str = "gaussian"
    prior_weight: float = 1.0

    _parameter_constraints: ClassVar[dict[str, list]] = {
        **BottleneckAutoencoder._parameter_constraints,
        "prior": [StrOptions(set(PRIORS))],
        "prior_weight": [Interval(Real, 0, None, closed="left")],
    }

    _axes = staticmethod(own_axes)
    _is_lossless = False
    _idleness = Idleness(
        which=silent_components,
        share=1.0,  # what the rows do not need has to be filled with something for the prior
        kind="Collapse",
        fact="drive next to none of the output's variance",
        way_out="Lower prior_weight, or scale the features.",
    )

    def _architecture(self, shape, noise, n_components):
        architecture = super()._architecture(shape, noise, n_components)
        architecture["module"] |= {
            "n_components": n_components,
            "n_features": shape[1],
            "prior": self.prior,
            "prior_weight": self.prior_weight,
        }
        return architecture

    @staticmethod
    def _linear_start(X, n_components, module, random_state):
        axes = BottleneckAutoencoder._linear_start(X, n_components, module, random_state)
        std = np.sqrt(np.square((X - axes.mean) @ axes.reader.T).mean(axis=0))[:, None]
        reader = axes.reader / np.maximum(std, FAINTEST)
        return axes._replace(components=std * axes.components, reader=reader)

    def _code_unit(self, units):
        return 1.0  # that of the prior

    def sample(self, n_samples=1, *, random_state=None):
        """Draw new rows: codes from the prior, decoded.

        Parameters
        ----------
        n_samples : int, default=1
            How many.
        random_state : int, RandomState instance or None, default=None
            Where the codes come from; None takes the estimator's.

        Returns
        -------
        X : ndarray of shape (n_samples, n_features)
            In data space, in the dtype of the training rows. Nothing is added of what codes leave
            out of rows.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError
            If `n_samples` is less than 1.
        """
        check_is_fitted(self)
        if n_samples < 1:
            raise ValueError(f"n_samples={n_samples!r} must be at least 1.")
        random_state = check_random_state(
            self.random_state if random_state is None else random_state
        )
        rng = generator(int(random_state.randint(2**31 - 1)))
        prior = PRIORS[self.module_.autoencoder.prior]
        Z = to_numpy(prior((n_samples, self.n_components_), rng))

        def draw(module: Canonical, z: torch.Tensor) -> torch.Tensor:
            # the prior is that of the module's codes, which `whiten` may have given other units
            return module.autoencoder.decode(z) * module.scale + module.location

        return self._map(draw, Z, self.mean_.dtype)
