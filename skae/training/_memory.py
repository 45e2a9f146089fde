"""What to do when memory runs out: the same with fewer rows at once."""

import warnings
from collections.abc import Callable, Iterator
from itertools import accumulate, pairwise
from math import ceil
from typing import Any

import torch


def ran_out(error: RuntimeError) -> bool:
    """Whether an error says that there is not enough memory, on a GPU or on the CPU."""
    return isinstance(error, torch.OutOfMemoryError) or "allocate memory" in str(error)


class Portion:
    """Rows that are computed at once: half as many each time that memory has run out.

    Parameters
    ----------
    n_rows : int
        How many at first.
    least : int, default=1
        How many it takes.
    consequence : str, default="The results stay the same."
        What the one warning says of having fewer.
    """

    def __init__(
        self, n_rows: int, *, least: int = 1, consequence: str = "The results stay the same."
    ):
        self.n_rows, self.least, self.consequence = n_rows, least, consequence
        self.warned = False

    def halve(self, error: RuntimeError) -> None:
        """Have half as many rows from now on, or pass on an error that this does not help with.

        Parameters
        ----------
        error : RuntimeError
            What came up with as many rows as now.
        """
        if not ran_out(error):
            raise error
        fewer = ceil(self.n_rows / 2)
        if self.n_rows <= self.least or fewer < self.least:
            error.add_note(
                f"Nor is there memory for {self.n_rows} rows at once; pass device='cpu', or have "
                "fewer or narrower layers."
            )
            raise error
        if not self.warned:
            warnings.warn(
                f"There is not enough memory for {self.n_rows} rows at once; going on with fewer. "
                + self.consequence,
                RuntimeWarning,
                stacklevel=2,
            )
        self.n_rows, self.warned = fewer, True

    def map(self, function: Callable[[slice], Any], n_samples: int) -> Iterator[tuple[slice, Any]]:
        """Apply a function to a portion of rows after the other.

        Parameters
        ----------
        function : callable of a slice
            Computes something of these rows.
        n_samples : int
            How many rows there are.

        Yields
        ------
        rows : slice
            Which ones.
        y : object
            What the function makes of them.
        """
        start = 0
        while start < n_samples:
            rows = slice(start, min(start + self.n_rows, n_samples))
            try:
                y = function(rows)
            except RuntimeError as error:
                self.halve(error)
                continue
            yield rows, y
            start = rows.stop


def slices(n_rows: int, at_most: int) -> list[slice]:
    """Consecutive parts of as many rows, at most, whose lengths differ by one at most.

    Parameters
    ----------
    n_rows, at_most : int
        All rows, and those of a part.

    Returns
    -------
    parts : list of slice
        At least one.
    """
    n_parts = ceil(n_rows / at_most)
    length, n_longer = divmod(n_rows, n_parts)
    ends = accumulate([length + 1] * n_longer + [length] * (n_parts - n_longer), initial=0)
    return [slice(*pair) for pair in pairwise(ends)]
