"""How wide a code has to be to explain a share of the variance."""

import numpy as np

from skae.autoencoders._fitted import reconstruction_errors
from skae.autoencoders._fitting import Fitting
from skae.training import Steps, explained


def narrowest(fitting: Fitting, share: float, widest: int) -> Steps[int]:
    """The least width of a code, up to some other, that explains a share of the variance.

    Parameters
    ----------
    fitting : Fitting
        How to fit a code of any width.
    share : float
        In (0, 1).
    widest : int
        What it is at most.

    Returns
    -------
    n_components : int
        In [1, widest].
    """
    low, high = 1, widest
    while low < high:  # a wider code explains more, so halving finds the least
        middle = (low + high) // 2
        if (yield from explained_by(fitting, middle)) >= share:
            high = middle
        else:
            low = middle + 1
    return low


def explained_by(fitting: Fitting, n_components: int) -> Steps[float]:
    """Share of the variance that a code of some width explains, of held-out rows if possible."""
    if fitting.learns and fitting.hold_out:
        found = yield from fitting.search(n_components)
        errors = found.reconstruction
    else:
        found, rows = (yield from fitting.fit(n_components)), np.arange(len(fitting.X))
        errors = reconstruction_errors(found.module, fitting.exact_judge(rows, rows))
    if found.record is not None and found.record.ended == "interrupted":
        raise KeyboardInterrupt  # half of a search for a width is none
    return explained(*errors)
