"""Where training starts: units that suit every table, and principal axes."""

from typing import NamedTuple

import numpy as np


class Units(NamedTuple):
    """A shift for each feature and one scale for all, so that features keep their relative sizes.

    Parameters
    ----------
    location : ndarray of shape (n_features,), float64
        What is subtracted.
    scale : float
        What the difference is divided by; positive.
    """

    location: np.ndarray
    scale: float

    @classmethod
    def of(cls, X: np.ndarray) -> "Units":
        """The mean of X and the root mean square of what is left.

        Parameters
        ----------
        X : ndarray of shape (n_samples, n_features)
            Rows.

        Returns
        -------
        units : Units
            With scale 1 where X does not vary beyond rounding.
        """
        largest = max(float(X.max()), -float(X.min())) or 1.0
        # divided first: the square of 1e200 overflows and that of 1e-200 is zero
        location = (X / largest).mean(axis=0, dtype=np.float64)
        variance = np.var(X / largest, axis=0, dtype=np.float64, mean=location[None])
        spread = float(np.sqrt(variance.mean()))
        rounding = 10 * np.finfo(X.dtype).eps * float(np.abs(location).max())
        return cls(location * largest, spread * largest if spread > rounding else 1.0)


class Axes(NamedTuple):
    """Principal axes of some rows.

    Parameters
    ----------
    mean : ndarray of shape (n_features,)
        Of the rows.
    components : ndarray of shape (n_components, n_features)
        One axis a row; zero where the rows are too few to have that many.
    """

    mean: np.ndarray
    components: np.ndarray


def principal_axes(X: np.ndarray, n_components: int, random_state) -> Axes:
    """Principal axes, found by scikit-learn.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows.
    n_components : int
        How many axes.
    random_state : RandomState
        For the randomised solver, which scikit-learn takes for large tables.

    Returns
    -------
    axes : Axes
        Mean and components.
    """
    from sklearn.decomposition import PCA  # here, as it takes half a second to import

    n_found = min(n_components, *X.shape)
    pca = PCA(n_found, random_state=random_state)
    with np.errstate(invalid="ignore", divide="ignore"):  # a single row has no variance ratios
        pca.fit(X)
    components = np.zeros((n_components, X.shape[1]), dtype=X.dtype)
    components[:n_found] = pca.components_
    return Axes(pca.mean_, components)
