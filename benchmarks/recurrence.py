"""Are steps of a series that are wrong found by an autoencoder that goes through it step by step?

* planted: two channels of 32 steps, each a tone and its second harmonic of random phase, frequency
  and amplitudes, under noise of 0.05; a third of the rows end early, in NaN. 600 rows without
  anomalies to learn from. Half of 400 test rows have one, over five steps at a random place: the
  second channel "stuck" at its value, "shifted" by 0.5, of "opposite" sign, or under "noise" of
  0.4. AUC of steps: are the steps of an anomaly those with the largest errors of cells, among all
  steps of all rows? AUC of rows: by `score_samples`, and by `reconstruction_error`.
* ionosphere: ADBench's table, 17 pulses of a radar in two channels; half of the good returns to
  learn from; AUC of rows, mean of three splits.
* waveform: ADBench's table of waves of 21 steps, the same way.

All have 4 components, weights chosen by a held-out tenth, and no refit; ROC AUC, higher is better.

    python benchmarks/recurrence.py [--data DIR] [--tasks planted]

`DIR` holds the folder `adbench`; "planted" does not need it.
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from skae import AutoencoderTransformer, ConvolutionalAutoencoder, RecurrentAutoencoder

N_STEPS, LENGTH = 32, 5


def tones(n, rng):
    """Rows of shape (n, 32, 2)."""
    phase, frequency = rng.uniform(0, 2 * np.pi, (n, 1)), rng.uniform(0.3, 0.6, (n, 1))
    angle = phase + frequency * np.arange(N_STEPS)
    first, second = rng.uniform(0.8, 1.2, (n, 1)), rng.uniform(-0.4, 0.4, (n, 1))
    X = [first * np.sin(angle) + second * np.sin(2 * angle), first * np.cos(angle)]
    return np.stack(X, axis=2) + 0.05 * rng.standard_normal((n, N_STEPS, 2))


def shortened(X, rng):
    """A third of the rows end after 20 to 31 steps."""
    for i in np.flatnonzero(rng.random(len(X)) < 1 / 3):
        X[i, rng.integers(20, N_STEPS) :] = np.nan
    return X


ANOMALIES = {
    "stuck": lambda part, rng: np.full_like(part, part[0]),
    "shifted": lambda part, rng: part + rng.choice([-0.5, 0.5]),
    "opposite": lambda part, rng: -part,
    "noise": lambda part, rng: part + 0.4 * rng.standard_normal(part.shape),
}


def planted(seed):
    """Rows to learn from, rows to score, and which of their steps are wrong."""
    rng = np.random.default_rng(seed)
    train, test = shortened(tones(600, rng), rng), tones(400, rng)
    wrong = np.zeros((400, N_STEPS), dtype=bool)
    for row, marks in zip(test[::2], wrong[::2], strict=True):
        start = rng.integers(0, 20 - LENGTH)  # where every row has steps
        part = slice(start, start + LENGTH)
        row[part, 1] = ANOMALIES[rng.choice(list(ANOMALIES))](row[part, 1], rng)
        marks[part] = True
    return train, shortened(test, rng), wrong


def adbench(name, n_channels):
    def split(data, seed):
        rng = np.random.default_rng(seed)
        with np.load(data / "adbench" / name) as archive:
            X, y = archive["X"].astype(float), archive["y"].astype(bool)
        good = rng.permutation(np.flatnonzero(~y))
        train, rest = good[: len(good) // 2], good[len(good) // 2 :]
        test = np.concatenate([rest, np.flatnonzero(y)])
        X = X / X[train].std()
        return X[train].reshape(len(train), -1, n_channels), X[test], y[test]

    return split


TABLES = {
    "ionosphere": adbench("18_Ionosphere.npz", 2),
    "waveform": adbench("41_Waveform.npz", 1),
}


def models(shape):
    settings = {"refit": False, "cv": None, "random_state": 0}
    recurrent = RecurrentAutoencoder(4, sequence_shape=shape, **settings)
    return {
        "PCA": AutoencoderTransformer(4, max_iter=0),
        "dense, default": AutoencoderTransformer(4, **settings),
        "dense, as many weights": None,
        "convolutional": ConvolutionalAutoencoder(4, image_shape=(1, *shape), **settings),
        "recurrent": recurrent,
    }


def n_weights(model):
    return sum(p.numel() for p in model.module_.autoencoder.parameters())


def fitted(shape, X):
    """Each model, fitted, by name; the recurrent one first, for its size."""
    candidates = models(shape)
    order = ["recurrent", *(name for name in candidates if name != "recurrent")]
    found, n_features = {}, X.shape[1]
    for name in order:
        model = candidates[name]
        if model is None:
            paths = 2 * n_features * 4 + n_features + 4
            total = n_weights(found["recurrent"][0]) - paths
            width = max(1, round(total / (2 * (n_features + 4) + 2)))
            model = AutoencoderTransformer(
                4, hidden_layer_sizes=(width,), refit=False, cv=None, random_state=0
            )
        start = time.process_time()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.fit(X)
        found[name] = model, time.process_time() - start
    return {name: found[name] for name in candidates}


def row_scores(model, X, wrong):
    return [
        roc_auc_score(wrong, -model.score_samples(X)),
        roc_auc_score(wrong, model.reconstruction_error(X)),
    ]


def run_planted(seeds):
    print("| task | model | weights | steps | rows, score | rows, error | fit (CPU s) |")
    print("|---|---|---|---|---|---|---|")
    results = {}
    for seed in seeds:
        train, test, wrong = planted(seed)
        X, Y = train.reshape(len(train), -1), test.reshape(len(test), -1)
        for name, (model, seconds) in fitted(train.shape[1:], X).items():
            cells = model.reconstruction_error(Y, per_cell=True).reshape(test.shape)
            steps = np.sqrt(np.square(cells).mean(axis=2))
            there = np.isfinite(steps)
            aucs = [roc_auc_score(wrong[there], steps[there])]
            aucs += row_scores(model, Y, wrong.any(axis=1))
            results.setdefault(name, []).append([n_weights(model), *aucs, seconds])
    report("planted", results)


def run_table(name, data, seeds):
    print("| task | model | weights | rows, score | rows, error | fit (CPU s) |")
    print("|---|---|---|---|---|---|")
    results = {}
    for seed in seeds:
        train, test, wrong = TABLES[name](data, seed)
        for model_name, (model, seconds) in fitted(
            train.shape[1:], train.reshape(len(train), -1)
        ).items():
            aucs = row_scores(model, test, wrong)
            results.setdefault(model_name, []).append([n_weights(model), *aucs, seconds])
    report(name, results)


def report(task, results):
    for name, runs in results.items():
        size, *aucs, seconds = np.mean(runs, axis=0)
        cells = " | ".join(f"{auc:.3f}" for auc in aucs)
        print(f"| {task} | {name} | {size:,.0f} | {cells} | {seconds:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tasks", nargs="+", default=["planted", *TABLES])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    if arguments.data is None and set(arguments.tasks) & set(TABLES):
        parser.error("the tables need --data, the folder that holds adbench")
    for task in arguments.tasks:
        if task == "planted":
            run_planted(arguments.seeds)
        else:
            run_table(task, arguments.data, arguments.seeds)


if __name__ == "__main__":
    main()
