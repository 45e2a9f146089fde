"""The noise that a user asks for, in the units that the module works in."""

from typing import Any

import numpy as np
import torch

from skae.autoencoders._start import Units
from skae.nn import CORRUPTIONS, Corruption
from skae.training import to_tensor

COLUMNS = ("mean", "zero", "low", "high")


def noise_settings(
    corruption: str | None,
    level: float | tuple[float, float] | str,
    *,
    X: np.ndarray,
    units: Units,
    **settings: Any,
) -> dict[str, Any] | None:
    """All that the noise depends on, as numbers and arrays.

    Parameters
    ----------
    corruption : key of ``CORRUPTIONS`` or None
        The kind of noise.
    level : float, pair of floats or "auto"
        In the units of the data; "auto" is half their deviation, or a fifth of the cells.
    X : ndarray of shape (n_samples, n_features)
        The training rows, in `units`.
    units : Units
        What was subtracted from the data, and what they were divided by.
    **settings : dict
        Passed on.

    Returns
    -------
    settings : dict or None
        Whatever `noise_from` needs; None where there is no noise.
    """
    if corruption is None:
        return None
    if isinstance(level, str):
        rms = float(np.sqrt(X.var(axis=0).mean()))
        levels = np.full(2, 0.5 * rms if corruption == "gaussian" else 0.2)
    else:
        levels = np.broadcast_to(np.asarray(level, dtype=np.float64), 2)
        levels = levels / units.scale if corruption == "gaussian" else levels
    columns = (X.mean(axis=0), units.zero, X.min(axis=0), X.max(axis=0))
    return {
        "corruption": corruption,
        "level": tuple(levels.tolist()),
        "source": units.shared,
        **dict(zip(COLUMNS, columns, strict=True)),
        **settings,
    }


def noise_from(settings: dict[str, Any] | None) -> Corruption | None:
    """The module for some settings.

    Parameters
    ----------
    settings : dict or None
        From `noise_settings`.

    Returns
    -------
    corruption : Corruption or None
        In float64, on the CPU.
    """
    if settings is None:
        return None
    settings = dict(settings)
    make = CORRUPTIONS[settings.pop("corruption")]
    tensors: dict[str, Any] = {
        name: to_tensor(settings.pop(name), dtype=torch.float64) for name in COLUMNS
    }
    return make(**settings, **tensors)
