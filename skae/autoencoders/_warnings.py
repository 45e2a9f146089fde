"""What a fit warns of when it is over, in words and with a way out."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from skae.training import Record

SILENT = 0.01
"""Output variance that a component drives, in units of what is left of a cell: PCA's drive 1."""

EXACT = 1e-4
"""Share of the variance below which what is left is nothing that a component could say more of."""


@dataclass(frozen=True, kw_only=True)
class Idleness:
    """How many of a code's components may say nothing.

    Parameters
    ----------
    which : callable of the fitted estimator
        The components that say nothing, as an ndarray of shape (n_components,), bool.
    share : float
        From which share of the components on, at least one, that is a fault.
    kind, fact, way_out : str
        What it is called, what is the matter with so many of so many components, what helps.
    """

    which: Callable[[Any], np.ndarray]
    share: float
    kind: str
    fact: str
    way_out: str


def silent_components(model: Any) -> np.ndarray:
    """Components that drive next to nothing.

    Each of PCA's drives at least the mean variance of the dimensions that are left out, which is
    at least that of a cell of the residual. So none of PCA's is silent, whatever the data. One that
    learns to see through noise must silence the components that the noise drowns.

    Parameters
    ----------
    model : BaseAutoencoder
        Fitted.

    Returns
    -------
    silent : ndarray of shape (n_components,), bool
        All False under noise.
    """
    ratio, noise = model.explained_variance_ratio_, model.module_.autoencoder.corruption
    silent = ratio < SILENT * (1 - ratio.sum()) / model.n_features_in_
    return silent & (noise is None)


COLLAPSE = Idleness(
    which=silent_components,
    share=0.0,
    kind="Collapse",
    fact="drive next to none of the output's variance",
    way_out="Pass a smaller n_components, or init='pca', whose components all count.",
)


def warn_of_run(record: Record, learning_rate_init: float) -> None:
    """Tell the user of a run that did not end by itself.

    Parameters
    ----------
    record : Record
        Of the run.
    learning_rate_init : float
        The rate that it began with.
    """
    done = len(record.losses)
    if record.ended == "interrupted":
        warnings.warn(
            f"Training interrupted after {done} epochs; the best weights so far are kept.",
            stacklevel=2,
        )
    if record.ended == "diverged":
        warnings.warn(
            f"After {done} epochs the loss was not finite, at learning_rate_init="
            f"{learning_rate_init:g} and at a tenth and a hundredth of it; the best weights before "
            "are kept. Pass a lower learning_rate_init, or scale the features.",
            ConvergenceWarning,
            stacklevel=2,
        )


def warn_of_idleness(model: Any, X: np.ndarray) -> None:
    """Tell the user of components that say nothing.

    Parameters
    ----------
    model : BaseAutoencoder
        Fitted.
    X : ndarray of shape (n_samples, n_features)
        The training rows.
    """
    still = np.ptp(X, axis=0).max() < np.finfo(np.float64).tiny  # or by no normal number
    if still or 1 - model.explained_variance_ratio_.sum() < EXACT:
        return  # there is nothing to say, or nothing more
    idleness, n_components = model._idleness, model.n_components_
    n_idle = int(idleness.which(model).sum())
    if n_idle >= max(1, ceil(idleness.share * n_components)):
        warnings.warn(
            f"{idleness.kind}: {n_idle} of {n_components} components {idleness.fact}. "
            + idleness.way_out,
            ConvergenceWarning,
            stacklevel=2,
        )
