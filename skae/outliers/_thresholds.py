"""Where scores end to be normal."""

import numpy as np

HALVINGS = 5
"""How often an exponential tail halves between the median and the threshold of "auto"."""


def n_alarms_of(n_calibration: int, rate: float) -> int:
    """How many of the p-values j / (n + 1) that calibration rows can give are at most the rate.

    Parameters
    ----------
    n_calibration : int
        Calibration rows.
    rate : float
        Of false alarms, in (0, 1).

    Returns
    -------
    n_alarms : int
        0 if there are too few rows for the rate.
    """
    levels = np.arange(1, n_calibration + 1) / (n_calibration + 1)
    return int(np.searchsorted(levels, rate, side="right"))


def tail_offset(scores: np.ndarray) -> float:
    """The threshold of contamination="auto".

    Parameters
    ----------
    scores : ndarray of shape (n_samples,)
        Of the training rows.

    Returns
    -------
    offset : float
        The median less `HALVINGS` times its distance from the lower quartile.
    """
    quartile, median = np.quantile(scores, [0.25, 0.5])
    rounding = np.sqrt(np.finfo(np.float64).eps) * abs(median)  # where many rows are the same row
    return float(median - HALVINGS * max(median - quartile, rounding))


def refuse(bad: np.ndarray, scores: np.ndarray, what: str, why: str) -> None:
    """Raise a ValueError that tells of the scores that are bad, if any are.

    Parameters
    ----------
    bad : ndarray of shape (n_samples,), bool
        Which.
    scores : ndarray of shape (n_samples,)
        All of them.
    what, why : str
        What is wrong with them, and why that matters here.
    """
    if bad.any():
        raise ValueError(
            f"{bad.sum()} of {len(bad)} scores are {what}, {why}; the first is row "
            f"{bad.argmax()}'s, {scores[bad.argmax()]}. Scale the data, leave such rows out, or "
            "wrap another estimator."
        )
