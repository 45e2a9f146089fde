"""How a network learns where a Gaussian is wrong about missing cells."""

from collections.abc import Sequence
from math import ceil, sqrt

import numpy as np
import torch

from skae.autoencoders._missing import Whole, mapped
from skae.nn import Completion, Correction
from skae.training import HeldOut, Record, Rows, Trainer, generator, to_numpy, to_tensor

MIN_ROWS = 50
"""Fewer than this cannot tell a better guess from a worse one."""

N_SAMPLES, N_CELLS = 2**14, 2**18
"""To learn from, and to judge by, at most; rows are there up to `MAX_COPIES` times for it."""

MAX_COPIES = 6
"""Of a row, each with other cells hidden."""

HIDDEN = 0.2
"""Share of the cells that are hidden where none is missing that could be an example."""

HELD_OUT = 0.2
"""Share of the rows that judge."""

PATIENCE = 3
"""Epochs without a gain after which training ends."""

TRAINER = Trainer(
    batch_size=200,
    solver="adamw",
    learning_rate="one_cycle",
    learning_rate_init=5e-3,
    alpha=0.01,
    momentum=0.9,
)


def completion_of(
    X: np.ndarray,
    *,
    hidden_layer_sizes: Sequence[int],
    max_iter: int,
    random_state: np.random.RandomState,
) -> tuple[Completion, Record | None]:
    """Learn to complete rows.

    Parameters
    ----------
    X : ndarray of shape (n_samples, n_features)
        Rows; NaN is missing. Each column has a cell that is not.
    hidden_layer_sizes : sequence of int
        Of the network.
    max_iter : int
        Epochs at most; 0 leaves it at the Gaussian.
    random_state : RandomState
        Hides cells, and seeds the network.

    Returns
    -------
    completion : Completion
        In float64. With a network only if cells of rows that it has not seen gain by it, by more
        than the standard error.
    record : Record or None
        Of its training, if there was any.
    """
    location, deviation = np.nanmean(X, axis=0), np.nanstd(X, axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)
    whole = Whole.of((X - location) / scale)
    correction, record = None, None
    if max_iter > 0 and len(X) >= MIN_ROWS and X.shape[1] > 1:
        correction, record = learnt(whole, hidden_layer_sizes, max_iter, random_state)
    completion = Completion(to_tensor(location), to_tensor(scale), whole.fill, correction)
    return completion.eval(), record


def learnt(
    whole: Whole,
    hidden_layer_sizes: Sequence[int],
    max_iter: int,
    random_state: np.random.RandomState,
) -> tuple[Correction | None, Record | None]:
    """A network that knows better than the Gaussian, or None, and the record of its training."""
    samples, hidden, row = examples(whole, random_state)
    judges = random_state.permutation(len(whole.X)) < HELD_OUT * len(whole.X)
    seed = int(random_state.randint(2**31 - 1))
    training, judging = (
        Rows(to_tensor(samples[some], dtype=torch.float32), to_tensor(hidden[some]))
        for some in (~judges[row], judges[row])
    )
    if min(len(training), len(judging)) == 0:
        return None, None
    network = Correction(whole.X.shape[1], hidden_layer_sizes, generator(seed)).float()
    record = TRAINER.run(
        network,
        training,
        n_epochs=max_iter,
        rng=generator(seed),
        held_out=HeldOut(judging, training.x.mean(dim=0), seed),
        stop=lambda record: record.stale(PATIENCE, 0.0),
    )
    if record.ended == "interrupted":
        raise KeyboardInterrupt
    gains = record.errors[0] - record.errors[record.best]
    of_rows = np.bincount(row[judges[row]], to_numpy(gains), len(judges))[judges]
    better = of_rows.mean() > of_rows.std() / sqrt(len(of_rows))
    return (network.double() if better else None), record


def examples(
    whole: Whole, random_state: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows with some of their known cells hidden, and completed by the Gaussian.

    Parameters
    ----------
    whole : Whole
        Rows, and which of their cells are known.
    random_state : RandomState
        Hides.

    Returns
    -------
    samples : ndarray of shape (n, 3 * n_features)
        Completed rows, which of their cells were missing or hidden, and the rows.
    hidden : ndarray of shape (n, n_features), bool
        Which cells of the samples were hidden; at least one of each.
    row : ndarray of shape (n,), int64
        Which rows they are.
    """
    known = np.ones(whole.X.shape, bool) if whole.known is None else whole.known
    n_samples = len(known)
    at_most = max(MIN_ROWS, min(N_SAMPLES, N_CELLS // known.shape[1]))
    chosen = np.arange(n_samples)[:: ceil(n_samples / at_most)]
    row = np.tile(chosen, min(MAX_COPIES, at_most // len(chosen)))
    missing = ~known[row]
    hidden = lent(missing, ~known, random_state)
    some = hidden.any(axis=1)
    row, missing, hidden = row[some], (missing | hidden)[some], hidden[some]
    X = whole.X[row]
    completed = X
    if len(row):
        completed = mapped(whole.fill, np.where(missing, np.nan, X), whole.fill)
    return np.hstack([completed, missing, X]), hidden, row


def lent(missing: np.ndarray, gaps: np.ndarray, random_state: np.random.RandomState) -> np.ndarray:
    """Cells to hide, so that rows look like rows with missing cells.

    Each row borrows the gaps of another. Of those that it has not itself, so many are hidden that
    no more are missing than in the other row, but one at least: cells to learn from are missing
    together with as many others, in the same places, as those to be filled in.

    Parameters
    ----------
    missing : ndarray of shape (n, n_features), bool
        Of the rows.
    gaps : ndarray of shape (n_samples, n_features), bool
        Of those to borrow from.
    random_state : RandomState
        Chooses.

    Returns
    -------
    hidden : ndarray of shape (n, n_features), bool
        None of them is missing.
    """
    lenders = np.flatnonzero(gaps.any(axis=1) & ~gaps.all(axis=1))
    if len(lenders) == 0:
        return ~missing & (random_state.random_sample(missing.shape) < HIDDEN)
    other = gaps[random_state.choice(lenders, len(missing))]
    new = other & ~missing
    n_hidden = np.maximum(1, other.sum(axis=1) - missing.sum(axis=1))
    chance = np.where(new, random_state.random_sample(new.shape), 2.0)
    return new & (chance.argsort(axis=1).argsort(axis=1) < n_hidden[:, None])
