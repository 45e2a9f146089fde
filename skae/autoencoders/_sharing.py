"""What fits of several widths to the same rows have in common."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np

Found = TypeVar("Found")


@dataclass(frozen=True, kw_only=True, eq=False)
class Sharing:
    """Things that are found once.

    Parameters
    ----------
    widest : int
        Code of all.
    nested : bool
        Whether the start of a narrow code is the first part of that of a wide one.
    """

    widest: int
    nested: bool
    memory: dict[tuple[str, Any], Any] = field(default_factory=dict, init=False)

    def once(self, what: str, rows: np.ndarray, find: Callable[[], Found]) -> Found:
        """What has been found for some rows, or is found now.

        Parameters
        ----------
        what : str
            Its name.
        rows : ndarray of int
            Numbers of the rows.
        find : callable
            Finds it.

        Returns
        -------
        found : object
            The same for the same name and rows.
        """
        key = what, rows.tobytes()
        if key not in self.memory:
            self.memory[key] = find()
        return self.memory[key]
