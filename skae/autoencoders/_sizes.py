"""What "auto" stands for: choices that follow the table."""

from collections.abc import Callable, Sequence
from math import ceil, log2, sqrt
from typing import Any

SMALL = 1000
"""Fewer rows than this make a small table, where overfitting is what to fear."""


def hidden_widths(n_samples: int, n_features: int) -> tuple[int, ...]:
    """Hidden widths of the encoder.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of the table.

    Returns
    -------
    widths : tuple of int
        Layers twice as wide as the data but within [64, 256]: three, or for a small table one and
        another of half its width.
    """
    width = min(max(2 * n_features, 64), 256)
    return (width, width // 2) if n_samples < SMALL else (width, width, width)


def activation(n_samples: int) -> str:
    """What follows a hidden layer.

    Parameters
    ----------
    n_samples : int
        Rows of the table.

    Returns
    -------
    activation : str
        "silu" for a small table, where smooth is safe, else "relu", which bends more sharply.
    """
    return "silu" if n_samples < SMALL else "relu"


def peak_learning_rate(widest: int, shortness: float = 1.0) -> float:
    """Rate that suits a network: the wider its layers, the smaller the steps of each weight.

    Where there are fewer steps than usual they are larger, or the weights do not get far.

    Parameters
    ----------
    widest : int
        The largest hidden width, 0 if there is none.
    shortness : float, default=1.0
        By what the usual number of steps is divided, positive.

    Returns
    -------
    learning_rate_init : float
        0.64 over the width, within [0.001, 0.005], times the root of `shortness`, within [1, 2].

    References
    ----------
    .. [1] Yang et al. (2021). Tuning large neural networks via zero-shot hyperparameter transfer,
       table 3. NeurIPS.
    """
    usual = min(max(0.64 / max(widest, 1), 0.001), 0.005)
    return usual * min(max(sqrt(shortness), 1.0), 2.0)


def dropout_rate(n_samples: int, n_features: int) -> float:
    """Share of hidden units to drop: a table of few rows for its width would be learnt by heart.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of the table.

    Returns
    -------
    rate : float
        0.2 up to ten rows a feature, less in proportion for more, and 0 where that is below 0.05
        or the table is not small.
    """
    rate = 0.2 * min(1.0, 10 * n_features / n_samples)
    return rate if rate > 0.05 and n_samples < SMALL else 0.0


def batch_rows(n_samples: int) -> int:
    """Rows in a training step.

    Parameters
    ----------
    n_samples : int
        Rows of the table.

    Returns
    -------
    batch_size : int
        The power of two nearest to three times their root, within [32, 1024].
    """
    return min(max(2 ** round(log2(3 * sqrt(n_samples))), 32), 1024)


def epochs(n_samples: int, batch_size: int) -> int:
    """Length of the schedule: a few hundred steps for small tables, a few thousand for large ones.

    Parameters
    ----------
    n_samples : int
        Rows of the table.
    batch_size : int
        Rows in a step.

    Returns
    -------
    n_epochs : int
        Enough for 300 + n_samples steps, 1,000 + n_samples / 4, or 4,000, whichever is least; at
        least 10.
    """
    n_steps = min(300 + n_samples, 1000 + n_samples / 4, 4000)
    return max(10, ceil(n_steps / ceil(n_samples / batch_size)))


def folds(n_samples: int) -> int:
    """Number of folds by which to choose the length of training, 0 where one held-out part will do.

    Parameters
    ----------
    n_samples : int
        Rows of the table.

    Returns
    -------
    n_folds : int
        5 for a small table: a tenth of its rows is too little to choose weights by.
    """
    return 5 if n_samples < SMALL else 0


def auto(value: Any, choose: Callable, *arguments: float) -> Any:
    """A parameter as given, or what "auto" stands for.

    Parameters
    ----------
    value : object
        The parameter.
    choose : callable
        Makes the choice.
    *arguments : float
        What it is made by.

    Returns
    -------
    value : object
        Never "auto".
    """
    return choose(*arguments) if isinstance(value, str) and value == "auto" else value


def refuse_unmirrored(hidden: Sequence[int] | str, decoder: Sequence[int] | None) -> None:
    """Refuse a decoder of which no layer is the mirror image of one of the encoder's.

    Parameters
    ----------
    hidden, decoder : sequence of int
        Hidden widths; those of the decoder may be None, and are mirrored then.

    Raises
    ------
    ValueError
        If one is not the other in reverse.
    """
    if decoder is None:
        return
    if isinstance(hidden, str) or tuple(decoder) != tuple(hidden)[::-1]:
        raise ValueError(
            f"decoder_layer_sizes={decoder!r} is not hidden_layer_sizes={hidden!r} in reverse, so "
            "that layers have no mirror image to be trained with; leave it None."
        )
