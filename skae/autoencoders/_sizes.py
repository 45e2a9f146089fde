"""What "auto" stands for: sizes that follow the table."""

from math import ceil, log2, sqrt


def hidden_widths(n_features: int) -> tuple[int, int]:
    """Hidden widths of the encoder.

    Parameters
    ----------
    n_features : int
        Width of the data.

    Returns
    -------
    widths : tuple of two ints
        Four and two times the number of features, within [64, 512] and [32, 256].
    """
    return min(max(4 * n_features, 64), 512), min(max(2 * n_features, 32), 256)


def dropout_rate(n_samples: int, n_features: int) -> float:
    """Share of hidden units to drop: a table of few rows for its width would be learnt by heart.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of the table.

    Returns
    -------
    rate : float
        0.2 up to ten rows a feature, and less in proportion for more, down to none for 40.
    """
    rate = 0.2 * min(1.0, 10 * n_features / n_samples)
    return rate if rate > 0.05 else 0.0


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
        5 below 1,000 rows: a tenth of those is too little to choose weights by.
    """
    return 5 if n_samples < 1000 else 0
