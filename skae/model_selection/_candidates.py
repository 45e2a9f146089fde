"""What is tried: widths of a code, with values of other parameters."""

from numbers import Integral
from typing import Any

import numpy as np
from sklearn.model_selection import ParameterGrid


def widths_of(n_components: Any) -> list[int]:
    """Widths as a list.

    Parameters
    ----------
    n_components : int or array-like of int
        As a user gives them.

    Returns
    -------
    widths : list of int
        At least one.

    Raises
    ------
    ValueError
        If there is none, or if any is not a positive integer.
    """
    widths = list(np.ravel(np.asarray(n_components, dtype=object)))
    whole = all(isinstance(width, Integral) and int(width) > 0 for width in widths)
    if not (widths and whole):
        raise ValueError(
            f"n_components={n_components!r} must hold positive integers, at least one; pass the "
            "widths to try."
        )
    return [int(width) for width in widths]


def candidates_of(widths: list[int], name: str, param_grid: Any) -> list[dict[str, Any]]:
    """Each width with each setting of the other parameters.

    Parameters
    ----------
    widths : list of int
        Of the code.
    name : str
        The parameter that they are values of.
    param_grid : dict, list of dicts or None
        Values of the others.

    Returns
    -------
    candidates : list of dict
        In the order of `GridSearchCV`.
    """
    grids = param_grid if isinstance(param_grid, list) else [param_grid or {}]
    return list(ParameterGrid([{**grid, name: widths} for grid in grids]))
