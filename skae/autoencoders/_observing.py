"""What a user sees of a fit while it runs: scikit-learn's callbacks and printed lines."""

from collections.abc import Callable

import numpy as np

from skae.autoencoders._fitted import Fitted
from skae.training import Observer, Record


class Printer(Observer):
    """Prints a line for some epochs: none, about ten, or one each, by `verbose`.

    Parameters
    ----------
    estimator : BaseAutoencoder
        Whose fit it is.
    n_epochs : int
        Length of the schedule.
    """

    def __init__(self, estimator, n_epochs: int):
        self.estimator, self.n_epochs = estimator, n_epochs

    def epoch_ends(self, record: Record) -> bool:
        """Print a line, if it is time for one."""
        done, verbose = len(record.losses), int(self.estimator.verbose)
        every = 1 if verbose > 1 else max(1, self.n_epochs // 10)
        if verbose and (done % every == 0 or done == self.n_epochs):
            loss = sum(record.losses[-1].values())
            line = (
                f"[{type(self.estimator).__name__}] epoch {done}/{self.n_epochs}  loss {loss:.4g}"
            )
            if record.scores:
                line += f"  held-out {record.scores[-1]:.4f} (start {record.scores[0]:.4f})"
            print(line)
        return False


class FitObserver(Printer):
    """Passes the epochs of the run whose weights are kept on to scikit-learn's callbacks.

    Parameters
    ----------
    estimator : BaseAutoencoder
        Whose fit it is.
    X : ndarray of shape (n_samples, n_features)
        The training data.
    n_epochs : int
        Length of the schedule.
    attributes : callable of a Fitted
        The attributes that the estimator has if the fit leaves that.
    """

    def __init__(
        self, estimator, X: np.ndarray, n_epochs: int, attributes: Callable[[Fitted], dict]
    ):
        super().__init__(estimator, n_epochs)
        self.context = estimator._init_callback_context(max_subtasks=n_epochs)
        # y is X, too: ScoringMonitor keeps silent where there is nothing to predict
        self.hook = {"estimator": estimator, "X": X, "y": X, "metadata": {}}
        self.attributes = attributes
        self.context.call_on_fit_task_begin(**self.hook)

    def epoch_begins(self) -> None:
        """Open a task for the epoch."""
        self.epoch = self.context.subcontext(task_name="epoch")
        self.epoch.call_on_fit_task_begin(**self.hook)

    def epoch_ends(self, record: Record) -> bool:
        """Print, and close the epoch's task; True if a callback asks to stop."""
        super().epoch_ends(record)

        def attributes() -> dict:
            module = record.best_module().cpu().double()
            return self.attributes(Fitted.so_far(module, record))

        return self.epoch.call_on_fit_task_end(**self.hook, reconstruction_attributes=attributes)

    def fit_ends(self, fitted: Fitted) -> None:
        """Print it if training was in vain, and close the task of the whole fit."""
        if self.estimator.verbose and fitted.scores and fitted.best == 0:
            print(
                f"[{type(self.estimator).__name__}] no epoch does better on held-out rows than the "
                "start, which is kept (best_iter_ is 0)"
            )
        self.context.call_on_fit_task_end(**self.hook, reconstruction_attributes=dict)
