"""What a fit tells of its training, epoch by epoch."""

from collections.abc import Sequence
from itertools import chain

import numpy as np

from skae.autoencoders._fitted import Fitted

STEPS = ("learning_rate", "gradient_norm", "update_ratio")


def history_of(fitted: Fitted) -> dict[str, np.ndarray]:
    """Curves with an entry for each epoch of the last run.

    Parameters
    ----------
    fitted : Fitted
        What training has found.

    Returns
    -------
    history : dict of str to ndarray of shape (n_epochs,), float64
        "loss" and, if it has several, its terms; "validation" if rows were held out; and how large
        the steps were. NaN where an epoch has no such value.
    """
    losses, steps = (fitted.record.losses, fitted.record.steps) if fitted.record else ([], [])
    terms = list(dict.fromkeys(chain.from_iterable(losses)))
    history = {"loss": curve([sum(epoch.values()) for epoch in losses])}
    if len(terms) > 1:
        history |= {name: curve([epoch.get(name) for epoch in losses]) for name in terms}
    if len(fitted.errors) > 1:
        after = list(fitted.errors[1 : len(losses) + 1])  # folds end with their shortest run
        history["validation"] = curve(after + [None] * (len(losses) - len(after)))
    return history | {name: curve([epoch[name] for epoch in steps]) for name in STEPS}


def curve(values: Sequence[float | None]) -> np.ndarray:
    """An array of numbers, NaN for None."""
    return np.array(values, dtype=np.float64)
