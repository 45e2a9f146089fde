"""Who finds the outliers of a table, with one set of defaults for all tables?

Each file of a folder is a table X with labels y, 1 for outliers. Two protocols: "contaminated" fits
on all rows and scores the same rows; "one-class" fits on half of the normal rows and scores the
others and the outliers. Columns are standardised by the rows that are fitted, for everyone. Larger
tables are cut to `--max-rows` random rows. The result is the area under the ROC curve.

    python benchmarks/outliers.py run --data DIR --out results.jsonl [--methods skae iforest]
    python benchmarks/outliers.py report results.jsonl

`run` appends one line of JSON for each fit and skips those that are there already. The methods of
PyOD are run where it is installed. Seconds are the processor's, summed over threads, and count
fitting and scoring; run it with OMP_NUM_THREADS=1.
"""

import argparse
import importlib.util
import json
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.preprocessing import StandardScaler

PROTOCOLS = ("contaminated", "one-class")


def skae(X, X_test, seed):
    from skae.outliers import AutoencoderOutlierDetector

    return AutoencoderOutlierDetector(random_state=seed).fit(X).score_samples(X_test)


def skae_with(**settings):
    """An autoencoder with half the components, trained as it is by default, and its score."""

    def score(X, X_test, seed):
        from skae import AutoencoderTransformer

        model = AutoencoderTransformer(max(1, min(X.shape) // 2), random_state=seed, **settings)
        return model.fit(X).score_samples(X_test)

    return score


def skae_error(X, X_test, seed):
    from skae import AutoencoderTransformer

    model = AutoencoderTransformer(max(1, min(X.shape) // 2), random_state=seed).fit(X)
    return -model.reconstruction_error(X_test)


def iforest(X, X_test, seed):
    return IsolationForest(random_state=seed).fit(X).score_samples(X_test)


def knn(X, X_test, seed):
    """Distance from the fifth neighbour that is not the row itself."""
    own = int(X is X_test)
    distances, _ = NearestNeighbors(n_neighbors=5 + own).fit(X).kneighbors(X_test)
    return -distances[:, -1]


def lof(X, X_test, seed):
    if X is X_test:
        return LocalOutlierFactor().fit(X).negative_outlier_factor_
    return LocalOutlierFactor(novelty=True).fit(X).score_samples(X_test)


def pca(X, X_test, seed):
    return PCA(0.9, svd_solver="full").fit(X).score_samples(X_test)


def gaussian_mixture(X, X_test, seed):
    return GaussianMixture(3, random_state=seed).fit(X).score_samples(X_test)


PYOD = {"AutoEncoder": "auto_encoder", "VAE": "vae"}


def pyod(name):
    def score(X, X_test, seed):
        module = importlib.import_module(f"pyod.models.{PYOD[name]}")
        model = getattr(module, name)(random_state=seed, verbose=0).fit(X)
        return -model.decision_function(X_test)

    return score


METHODS = {
    "skae": skae,
    "skae_isotropic": skae_with(),
    "skae_full_robust": skae_with(density="full", support_fraction=0.9),
    "skae_error": skae_error,
    "iforest": iforest,
    "knn": knn,
    "lof": lof,
    "pca": pca,
    "gaussian_mixture": gaussian_mixture,
    "pyod_autoencoder": pyod("AutoEncoder"),
    "pyod_vae": pyod("VAE"),
}


def split(path, protocol, seed, max_rows):
    """Rows to fit, rows to score, and the labels of the latter."""
    with np.load(path) as archive:
        X, y = archive["X"].astype(np.float64), archive["y"].astype(int)
    rng = np.random.default_rng(seed)
    if len(X) > max_rows:
        chosen = rng.choice(len(X), max_rows, replace=False)
        X, y = X[chosen], y[chosen]
    if protocol == "contaminated":
        X = StandardScaler().fit_transform(X)
        return X, X, y
    normal = rng.permutation(np.flatnonzero(y == 0))
    fitted, test = normal[: len(normal) // 2], normal[len(normal) // 2 :]
    test = np.concatenate([test, np.flatnonzero(y == 1)])
    scaler = StandardScaler().fit(X[fitted])
    return scaler.transform(X[fitted]), scaler.transform(X[test]), y[test]


def run(data, out, methods, seeds, max_rows):
    out.touch()
    key = ("table", "protocol", "seed", "method")
    done = {tuple(r[k] for k in key) for r in map(json.loads, out.read_text().splitlines())}
    warnings.simplefilter("ignore")
    for seed in seeds:
        for path in sorted(Path(data).glob("*.npz")):
            for protocol in PROTOCOLS:
                X, X_test, y = split(path, protocol, seed, max_rows)
                for method in methods:
                    if (path.stem, protocol, seed, method) in done:
                        continue
                    start = time.process_time()
                    scores = METHODS[method](X, X_test, seed)
                    seconds = time.process_time() - start
                    found = dict(zip(key, (path.stem, protocol, seed, method), strict=True))
                    found |= {"auc": roc_auc_score(y, -scores), "seconds": seconds}
                    with out.open("a") as file:
                        file.write(json.dumps(found) + "\n")


def report(paths):
    results = defaultdict(lambda: defaultdict(list))
    for path in paths:
        for r in map(json.loads, Path(path).read_text().splitlines()):
            results[r["method"]][r["table"], r["protocol"]].append(r)
    tables = sorted({table for found in results.values() for table, _ in found})

    def mean(method, protocol, what="auc"):
        return [
            np.mean([r[what] for r in results[method][table, protocol]])
            for table in tables
            if (table, protocol) in results[method]
        ]

    print(f"{len(tables)} tables\n\n| method | contaminated | one-class | seconds | fits |")
    print("|---|---|---|---|---|")
    for method in sorted(results, key=lambda m: -sum(np.mean(mean(m, p)) for p in PROTOCOLS)):
        both = [mean(method, protocol) for protocol in PROTOCOLS]
        runs = [r for found in results[method].values() for r in found]
        lacking = "" if min(map(len, both)) == len(tables) else f" ({min(map(len, both))} tables)"
        print(
            f"| {method}{lacking} | {np.mean(both[0]):.3f} | {np.mean(both[1]):.3f} |"
            f" {np.sum([r['seconds'] for r in runs]):.0f} | {len(runs)} |"
        )
    for protocol in PROTOCOLS:
        names = [m for m in METHODS if m in results]
        print(f"\n{protocol}\n\n| table | {' | '.join(names)} |\n|---|{'---|' * len(names)}")
        for table in tables:
            cells = [results[m][table, protocol] for m in names]
            shown = [f"{np.mean([r['auc'] for r in c]):.3f}" if c else "" for c in cells]
            print(f"| {table} | {' | '.join(shown)} |")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--data", required=True)
    runner.add_argument("--out", type=Path, required=True)
    runner.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    runner.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    runner.add_argument("--max-rows", type=int, default=10_000)
    reporter = commands.add_parser("report")
    reporter.add_argument("results", nargs="+")
    options = parser.parse_args()
    if options.command == "report":
        report(options.results)
        return
    methods = options.methods
    if importlib.util.find_spec("pyod") is None:
        methods = [name for name in methods if not name.startswith("pyod")]
    run(options.data, options.out, methods, options.seeds, options.max_rows)


if __name__ == "__main__":
    main()
