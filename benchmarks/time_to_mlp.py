"""How soon is skae as good as MLPRegressor(X, X) will be at its end?

For each table, at a quarter of its width: MLPRegressor's fit time and its held-out R2; then skae
with more and more epochs until it reaches that R2, each fit from scratch with everything else at
its default, the choice of epochs and the refit included. The ratio is skae's fit time over
MLPRegressor's, in the same process, one after the other, the median of several seeds.

    python benchmarks/time_to_mlp.py DIR [--threads 1] [--seeds 0 1 2]
"""

import argparse
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from reconstruction import code_widths, fit_mlp, fit_pca, load_rows, load_tables
from sklearn.metrics import r2_score
from threadpoolctl import threadpool_limits

from skae import AutoencoderTransformer

EPOCHS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


def timed(fit, X_train, X_test):
    """Seconds of the processor that a fit takes, and the held-out R2 that it reaches."""
    start = time.process_time()  # others work on the machine, too
    reconstruct = fit(X_train)
    seconds = time.process_time() - start
    return seconds, r2_score(X_test, reconstruct(X_test), multioutput="variance_weighted")


def fit_epochs(n_components, n_epochs, seed):
    def fit(X):
        model = AutoencoderTransformer(n_components, max_iter=n_epochs, random_state=seed).fit(X)
        return lambda X: model.inverse_transform(model.transform(X))

    return fit


def time_to_reach(path, seed):
    """MLPRegressor's seconds and R2, skae's seconds until then, and the epochs it took."""
    X_train, X_test = load_rows(path, seed)
    width = max(1, X_train.shape[1] // 4)
    assert width in code_widths(X_train.shape[1])
    mlp_seconds, goal = timed(lambda X: fit_mlp(X, width, seed), X_train, X_test)
    seconds, r2 = timed(lambda X: fit_pca(X, width, seed), X_train, X_test)
    if r2 >= goal:  # the start is enough, and skae's start is what PCA costs, and a little more
        seconds, _ = timed(fit_epochs(width, 0, seed), X_train, X_test)
        return mlp_seconds, goal, seconds, 0
    for n_epochs in EPOCHS:
        seconds, r2 = timed(fit_epochs(width, n_epochs, seed), X_train, X_test)
        if r2 >= goal:
            return mlp_seconds, goal, seconds, n_epochs
    return mlp_seconds, goal, np.inf, None


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    warnings.simplefilter("ignore")

    medians = []
    print("| table | MLPRegressor R2 | its seconds | skae's seconds | epochs | ratio |")
    print("|---|---|---|---|---|---|")
    with threadpool_limits(arguments.threads):
        AutoencoderTransformer(1, max_iter=1).fit(np.eye(20))  # import and warm up
        for table, path in load_tables(arguments.data).items():
            runs = [time_to_reach(path, seed) for seed in arguments.seeds]
            ratios = [seconds / mlp_seconds for mlp_seconds, _, seconds, _ in runs]
            mlp_seconds, goal, seconds, n_epochs = runs[int(np.argsort(ratios)[len(ratios) // 2])]
            medians.append(float(np.median(ratios)))
            print(
                f"| {table} | {goal:.3f} | {mlp_seconds:.2f} | {seconds:.2f} | {n_epochs} | "
                f"{medians[-1]:.2f} |",
                flush=True,
            )
    print(
        f"\nMedian over tables: {np.median(medians):.2f}; at most 1 on "
        f"{np.mean(np.array(medians) <= 1):.0%} of them"
    )


if __name__ == "__main__":
    main()
