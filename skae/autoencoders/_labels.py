"""Classes of some of the rows, and a fit that hands them on to the trainer."""

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import assert_all_finite
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, column_or_1d

from skae.autoencoders._fitting import Fitting
from skae.autoencoders._identity import described
from skae.training import LabelledRows, Rows, to_tensor

UNKNOWN = (-1, "-1")
"""What stands for a class that is not known; NumPy makes a text of -1 among texts."""


class Labels(NamedTuple):
    """What is known of the rows' classes.

    Parameters
    ----------
    codes : ndarray of shape (n_samples,), int64
        Number of each row's class; -1 is unknown.
    classes : ndarray of shape (n_classes,)
        The classes, sorted.
    """

    codes: np.ndarray
    classes: np.ndarray

    def of(self, rows: np.ndarray) -> "Labels":
        """Those of some rows."""
        return self._replace(codes=self.codes[rows])

    @classmethod
    def read(cls, y: Any, X: np.ndarray, classes: np.ndarray | None = None) -> "Labels":
        """Labels as a user gives them.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Classes; -1 is unknown.
        X : ndarray of shape (n_samples, n_features)
            Rows.
        classes : ndarray of shape (n_classes,) or None, default=None
            All there are; None takes those in y.

        Returns
        -------
        labels : Labels
            Of these rows.

        Raises
        ------
        ValueError
            If y is not made of classes, not as long as X, all unknown, or has a class that is not
            among `classes`.
        """
        y = column_or_1d(y, warn=True)
        check_consistent_length(X, y)
        assert_all_finite(y, input_name="y")
        known = known_in(y)
        if known.any():
            check_classification_targets(y[known])
        found = listed(y[known])
        if classes is None:
            if not len(found):
                raise ValueError(
                    f"All {len(y)} labels in y are -1, which stands for unknown, so that there are "
                    "no classes to tell apart; label some rows, or set classification_weight=0."
                )
            classes = found
        strange = np.setdiff1d(found, classes)
        if len(strange):
            raise ValueError(
                f"y has the class {strange.tolist()[0]!r}, but the classes are {classes.tolist()}; "
                "name all of them in the first call, or start afresh by fit with warm_start=False."
            )
        codes = np.full(len(y), -1, dtype=np.int64)
        codes[known] = np.searchsorted(classes, y[known].astype(classes.dtype))
        return cls(codes, classes)


@described.register
def _(value: Labels) -> str:
    return f"{described(value.codes)} of {value.classes.tolist()}"


def known_in(y: np.ndarray) -> np.ndarray:
    """Which labels are known, of shape (n_samples,), bool."""
    return np.array([label not in UNKNOWN for label in y.tolist()], dtype=bool)


def listed(y: np.ndarray) -> np.ndarray:
    """The classes among some labels, sorted; texts as objects, which have no greatest length."""
    classes = np.unique(y)
    return classes.astype(object) if classes.dtype.kind in "US" else classes


@dataclass(frozen=True, kw_only=True)
class LabelledFitting(Fitting):
    """As `Fitting`, of rows with labels.

    Parameters
    ----------
    labels : Labels
        Of the training rows.
    """

    labels: Labels

    @classmethod
    def of(cls, fitting: Fitting, labels: Labels) -> "LabelledFitting":
        """The same with labels."""
        parts = {field.name: getattr(fitting, field.name) for field in fields(Fitting)}
        return cls(**parts, labels=labels)

    def _as_tensors(self, rows: np.ndarray, **where: Any) -> Rows:
        plain = super()._as_tensors(rows, **where)
        codes = to_tensor(self.labels.codes[rows], device=where["device"])
        return LabelledRows(plain.x, plain.known, plain.weights, labels=codes)
