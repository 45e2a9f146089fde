"""The last step of a fit: the decoder's last maps in closed form."""

from math import ceil

import numpy as np

from skae.nn import Autoencoder, with_least_squares
from skae.training import generator, rows_at_once, slices, to_tensor

ENOUGH_ROWS = 2**16
"""For a few hundred weights each: more of them would only take longer."""


def solution(
    module: Autoencoder,
    X: np.ndarray,
    rows: np.ndarray,
    *,
    weights: np.ndarray | None,
    batch_size: int,
    seed: int,
) -> Autoencoder:
    """A copy of a module with the last maps that are the best for some rows.

    Parameters
    ----------
    module : Autoencoder
        See `with_least_squares`.
    X : ndarray of shape (n_samples, n_features)
        All rows, in the module's units, without gaps.
    rows : ndarray of int
        Which ones; of very many, some at even distances.
    weights : ndarray of shape (n_samples,) or None
        Of all rows.
    batch_size : int
        Rows that are corrupted at a time, as in training: some corruption is drawn once for them.
    seed : int
        Of the corruption.

    Returns
    -------
    module : Autoencoder
        In float64, on the CPU.
    """
    rows = rows[:: ceil(len(rows) / ENOUGH_ROWS)]
    n_at_once = rows_at_once(X.shape[1]) if module.corruption is None else batch_size
    parts = (rows[part] for part in slices(len(rows), n_at_once))
    batches = (
        (to_tensor(X[part]), None if weights is None else to_tensor(weights[part]))
        for part in parts
    )
    return with_least_squares(module, batches, generator(seed))
