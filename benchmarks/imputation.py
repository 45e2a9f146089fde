"""Who fills in missing cells best, and in what time?

The first ten tables of a folder, by name, that have 6 to 64 columns which are not constant; at most
`--max-rows` random rows, standardised. A share of the cells is taken away, and filled in by a fit
to the same rows. Patterns:

* cells: each is missing by itself;
* blocks: half of the columns, adjacent ones from a random one on (the first follows the last), are
  missing in twice that share of the rows.

The result is the root mean square error over the missing cells, in standard deviations.

    python benchmarks/imputation.py run --data DIR --out results.jsonl [--methods skae knn]
    python benchmarks/imputation.py report results.jsonl

`run` appends one line of JSON for each fit and skips those that are there already. All methods have
their defaults. Seconds are the processor's, summed over threads, and count fitting and filling; run
it with OMP_NUM_THREADS=1.
"""

import argparse
import json
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.preprocessing import StandardScaler

N_TABLES = 10
WIDTHS = range(6, 65)
WIDE = 30
PATTERNS = ("cells", "blocks")
SHARES = (0.1, 0.3, 0.5)
TOLERANCE = 1.02


def skae(X, seed):
    from skae.impute import AutoencoderImputer

    return AutoencoderImputer(random_state=seed).fit_transform(X)


def skae_gaussian(X, seed):
    from skae.impute import AutoencoderImputer

    return AutoencoderImputer(max_iter=0, random_state=seed).fit_transform(X)


def skae_round_trip(X, seed):
    """What an autoencoder with half the components makes of rows that it fills in itself."""
    from skae import AutoencoderTransformer

    model = AutoencoderTransformer(X.shape[1] // 2, random_state=seed)
    return model.inverse_transform(model.fit_transform(X))


METHODS = {
    "skae": skae,
    "skae_gaussian": skae_gaussian,
    "skae_round_trip": skae_round_trip,
    "iterative": lambda X, seed: IterativeImputer(random_state=seed).fit_transform(X),
    "knn": lambda X, seed: KNNImputer().fit_transform(X),
    "mean": lambda X, seed: SimpleImputer().fit_transform(X),
}
PEERS = ("iterative", "knn", "mean")


def tables(data):
    """Paths of the tables, chosen by their names and widths alone, and their columns that vary."""
    found = {}
    for path in sorted(Path(data).glob("*.npz"), key=lambda path: path.stem):
        with np.load(path) as archive:
            X = archive["X"].astype(np.float64)
        X = X[:, np.ptp(X, axis=0) > 0]
        if X.shape[1] in WIDTHS:
            found[path.stem] = X
    return dict(list(found.items())[:N_TABLES])


def load_case(X, pattern, share, seed, max_rows):
    """Rows, and which of their cells are missing."""
    rng = np.random.default_rng(seed)
    if len(X) > max_rows:
        X = X[rng.choice(len(X), max_rows, replace=False)]
    X = X[:, np.ptp(X, axis=0) > 0]
    X = StandardScaler().fit_transform(X)
    if pattern == "cells":
        return X, rng.random(X.shape) < share
    n_samples, n_features = X.shape
    length = n_features // 2
    start = rng.integers(n_features, size=(n_samples, 1))
    inside = (np.arange(n_features) - start) % n_features < length
    return X, inside & (rng.random((n_samples, 1)) < share * n_features / length)


def run(data, out, methods, seeds, max_rows):
    out.touch()
    key = ("table", "pattern", "share", "seed", "method")
    done = {tuple(r[k] for k in key) for r in map(json.loads, out.read_text().splitlines())}
    warnings.simplefilter("ignore")
    for seed in seeds:
        for table, X in tables(data).items():
            for pattern in PATTERNS:
                for share in SHARES:
                    rows, missing = load_case(X, pattern, share, seed, max_rows)
                    for method in methods:
                        case = (table, pattern, share, seed, method)
                        if case in done:
                            continue
                        start = time.process_time()
                        filled = METHODS[method](np.where(missing, np.nan, rows), seed)
                        seconds = time.process_time() - start
                        error = np.sqrt(np.mean((filled - rows)[missing] ** 2))
                        found = dict(zip(key, case, strict=True)) | {"features": rows.shape[1]}
                        found |= {"rows": len(rows), "rmse": error, "seconds": seconds}
                        with out.open("a") as file:
                            file.write(json.dumps(found) + "\n")


def report(paths):
    """Tables of Markdown, means over the seeds, and how often skae is among the best."""
    results, widths = defaultdict(lambda: defaultdict(list)), {}
    for record in (json.loads(line) for path in paths for line in path.read_text().splitlines()):
        width = widths.setdefault(record["table"], record["features"])
        case = (record["table"], width, record["pattern"], record["share"])
        results[case][record["method"]].append(record)
    names = [m for m in METHODS if any(m in found for found in results.values())]

    def mean(found, name, what):
        return np.mean([record[what] for record in found[name]]) if found[name] else np.nan

    print(f"| table | d | pattern | share | {' | '.join(names)} |")
    print(f"|{'---|' * (len(names) + 4)}")
    for case, found in results.items():
        errors = [f"{mean(found, name, 'rmse'):.3f}" for name in names]
        print(f"| {' | '.join(map(str, case))} | {' | '.join(errors)} |")
    print("\nSeconds of a fit, mean\n")
    print(f"| table | d | {' | '.join(names)} |")
    print(f"|{'---|' * (len(names) + 2)}")
    for table in dict.fromkeys(case[:2] for case in results):
        found = [found for case, found in results.items() if case[:2] == table]
        seconds = [np.mean([mean(f, name, "seconds") for f in found]) for name in names]
        print(f"| {table[0]} | {table[1]} | {' | '.join(f'{s:.2f}' for s in seconds)} |")
    print()
    errors = {n: np.array([mean(f, n, "rmse") for f in results.values()]) for n in names}
    best = np.min([errors[name] for name in PEERS], axis=0)
    for name in names:
        if name in PEERS:
            continue
        there = ~np.isnan(errors[name])
        ratio = errors[name][there] / best[there]
        print(
            f"{name}: best or within 2 % of the best of {', '.join(PEERS)} in"
            f" {(ratio <= TOLERANCE).sum()} of {there.sum()} cases; geometric mean of its error"
            f" over theirs {np.exp(np.log(ratio).mean()):.3f}"
        )
    for table in dict.fromkeys(case[:2] for case in results if case[1] >= WIDE):
        found = [found for case, found in results.items() if case[:2] == table]
        ratio = [mean(f, "skae", "seconds") / mean(f, "iterative", "seconds") for f in found]
        print(f"{table[0]}: {min(ratio):.2f} to {max(ratio):.2f} of the time of IterativeImputer")


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
    runner.add_argument("--max-rows", type=int, default=3000)
    reporter = commands.add_parser("report")
    reporter.add_argument("results", nargs="+", type=Path)
    options = parser.parse_args()
    if options.command == "report":
        report(options.results)
    else:
        run(options.data, options.out, options.methods, options.seeds, options.max_rows)


if __name__ == "__main__":
    main()
