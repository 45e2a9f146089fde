"""Which candidate is best, and which cannot be any more."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np


def best(results: dict[str, Any], width: str) -> int:
    """The candidate of the highest mean score, the first of equals."""
    return int(results["rank_test_score"].argmin())


def one_se(results: dict[str, Any], width: str) -> int:
    """The narrowest code within one standard error of the best score.

    Parameters
    ----------
    results : dict of str to ndarray
        A search's `cv_results_`.
    width : str
        The key of the widths.

    Returns
    -------
    index : int
        Of the candidate with the highest mean score among those of this width.
    """
    top, means = best(results, width), results["mean_test_score"]
    n_splits = sum(key.startswith("split") and key.endswith("_test_score") for key in results)
    scores = np.array([results[f"split{i}_test_score"][top] for i in range(n_splits)])
    within = np.flatnonzero(means >= means[top] - standard_error(scores))
    if len(within) == 0:  # all is NaN
        return top
    return int(min(within, key=lambda i: (results[width][i], -means[i])))


RULES: dict[str, Callable] = {"best": best, "one_se": one_se}


@dataclass(kw_only=True)
class Race:
    """Which candidates cannot win any more, as far as can be told.

    Once each has been trained on part of the rows, and scored, the best one is trained on all of
    them. Those that twice the largest gain by this, on any split, would not bring up to the best
    are left at that. The others go on, too, and their gains count.

    Parameters
    ----------
    scores : ndarray of shape (n_candidates, n_splits)
        Of the fits as they are.
    spread : bool
        Whether a candidate within one standard error of the best may win.
    """

    scores: np.ndarray
    spread: bool
    gain: float = 0.0
    done: set[int] = field(default_factory=set)

    def next(self) -> list[int]:
        """Candidates that are to go on."""
        means = np.nan_to_num(self.scores.mean(axis=1), nan=-np.inf)
        if not self.done:
            return [int(means.argmax())]
        best = max(self.done, key=lambda i: means[i])
        least = means[best] - self.spread * standard_error(self.scores[best])
        reach = means + 2 * self.gain
        return [i for i in range(len(means)) if i not in self.done and reach[i] >= least]

    def finish(self, candidate: int, scores: np.ndarray) -> None:
        """Tell the scores of a candidate that has gone on."""
        gains = scores - self.scores[candidate]
        self.gain = max(self.gain, float(np.nan_to_num(gains).max()))
        self.scores[candidate] = scores
        self.done.add(candidate)


def standard_error(scores: np.ndarray) -> float:
    """Of the mean of some scores; 0 of a single one."""
    return float(scores.std(ddof=1) / np.sqrt(len(scores))) if len(scores) > 1 else 0.0
