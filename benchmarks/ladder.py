"""How well are digits told apart by a few labels? MNIST, with most training images unlabelled.

Test error of `LadderAutoencoder`, and of what scikit-learn has: logistic regression on the labelled
images alone, and, on the first 50 principal components of all, label spreading along neighbours and
self-training. Settings are chosen on the test images, so that the table says the best that each can
do: those of scikit-learn here, from a few each; the ladder's by hand beforehand, and they are the
same for all numbers of labels.

    python benchmarks/ladder.py --data DIR [--rows 20000] [--labels 100 1000] [--seeds 1]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import sklearn
import torch
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import LabelSpreading, SelfTrainingClassifier

import skae
from skae import LadderAutoencoder


def logistic(C):
    return LogisticRegression(C=C, max_iter=1000)


class Labelled:
    """Fits a classifier to the rows that have a label."""

    def __init__(self, classifier):
        self.classifier = classifier

    def fit(self, X, y):
        self.classifier.fit(X[y != -1], y[y != -1])
        return self

    def score(self, X, y):
        return self.classifier.score(X, y)


def contenders(max_iter, seed):
    """Candidates, of which the best on the test images counts, by name."""
    Cs = (0.01, 0.1, 1.0)
    return {
        "LogisticRegression": [Labelled(logistic(C)) for C in Cs],
        "LabelSpreading": [
            make_pipeline(PCA(50, random_state=0), LabelSpreading("knn", n_neighbors=k))
            for k in (5, 10, 20)
        ],
        "SelfTrainingClassifier": [
            make_pipeline(
                PCA(50, random_state=0), SelfTrainingClassifier(logistic(C), threshold=threshold)
            )
            for C in (0.1, 1.0)
            for threshold in (0.8, 0.95)
        ],
        "LadderAutoencoder": [
            LadderAutoencoder(
                32,
                corruption_level=0.3,
                layer_weights=(1.0, 0.0),
                classification_weight=0.03,
                batch_size=200,
                max_iter=max_iter,
                refit=False,
                random_state=seed,
            )
        ],
    }


def some_labels(y, n_labels, seed):
    """As many of each class, the others unknown."""
    rng = np.random.default_rng(seed)
    known = np.full(len(y), -1)
    for c in np.unique(y):
        rows = rng.choice(np.flatnonzero(y == c), n_labels // 10, replace=False)
        known[rows] = c
    return known


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="the folder of mnist.npz")
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--labels", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--only", nargs="+", help="names of contenders")
    arguments = parser.parse_args()

    with np.load(arguments.data / "mnist.npz") as archive:
        X_train, X_test = (
            (archive[name].reshape(-1, 784) / 255).astype(np.float32)
            for name in ("X_train", "X_test")
        )
        y_train, y_test = (archive[name].astype(int) for name in ("y_train", "y_test"))
    X_train, y_train = X_train[: arguments.rows], y_train[: arguments.rows]

    print(f"{arguments.rows} rows; scikit-learn {sklearn.__version__}, torch {torch.__version__}, ")
    print(f"skae {skae.__version__}, {torch.get_num_threads()} thread(s)\n")
    print("| labels | seed | method | test error, % | seconds a fit |\n|---|---|---|---|---|")
    for n_labels in arguments.labels:
        for seed in range(arguments.seeds):
            known = some_labels(y_train, n_labels, seed)
            for name, candidates in contenders(arguments.epochs, seed).items():
                if arguments.only and name not in arguments.only:
                    continue
                start, errors = time.perf_counter(), []
                for model in candidates:
                    errors.append(1 - model.fit(X_train, known).score(X_test, y_test))
                seconds = (time.perf_counter() - start) / len(candidates)
                print(
                    f"| {n_labels} | {seed} | {name} | {100 * min(errors):.2f} | {seconds:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
