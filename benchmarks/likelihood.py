"""Whose density gives unseen rows the highest probability: PCA, FactorAnalysis or VAETransformer?

Every contender has its default parameters but for the width of the code; the VAE is tried with both
kinds of noise, isotropic as in probabilistic PCA and diagonal as in factor analysis. A case is a
table and a number of components; rows are split 75/25, columns that are constant in the training
rows are dropped, and the others are standardised by the training rows. The result is the mean
log-likelihood of the held-out rows in nats per row; of a VAE it is the importance weighted lower
bound on it.

    python benchmarks/likelihood.py run --data DIR --out results.jsonl [--methods pca vae_diagonal]
    python benchmarks/likelihood.py report results.jsonl

`run` appends one line of JSON for each fit and skips those that are there already, so that slow
contenders need not be repeated; delete a contender's lines to measure it again.
"""

import argparse
import json
import os
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

N_IMPORTANCE_SAMPLES = 100
LEVEL = 0.01  # nats per row; nearer than this is level, as at a start that was kept


def fit_pca(X, n_components, seed):
    return PCA(n_components, random_state=seed).fit(X).score_samples


def fit_factor_analysis(X, n_components, seed):
    return FactorAnalysis(n_components, random_state=seed).fit(X).score_samples


def fit_vae(X, n_components, seed, noise):
    from skae import VAETransformer

    model = VAETransformer(n_components, noise=noise, random_state=seed).fit(X)
    return lambda X: model.score_samples(X, n_importance_samples=N_IMPORTANCE_SAMPLES)


def fit_vae_isotropic(X, n_components, seed):
    return fit_vae(X, n_components, seed, noise="isotropic")


def fit_vae_diagonal(X, n_components, seed):
    return fit_vae(X, n_components, seed, noise="diagonal")


PEERS = {"pca": fit_pca, "factor_analysis": fit_factor_analysis}
VAES = {"vae_isotropic": fit_vae_isotropic, "vae_diagonal": fit_vae_diagonal}
CONTENDERS = PEERS | VAES


def load_tables(folder):
    """Names and paths of the tables, small files first."""
    paths = sorted(Path(folder).glob("adbench/*.npz"), key=os.path.getsize)
    return {path.stem: path for path in paths}


def load_rows(path, seed, max_rows):
    """At most `max_rows` rows, split 75/25 and standardised, without columns that do not vary."""
    with np.load(path) as archive:
        X = archive["X"].astype(np.float64)
    if len(X) > max_rows:
        X = X[np.random.default_rng(seed).choice(len(X), max_rows, replace=False)]
    X_train, X_test = train_test_split(X, test_size=0.25, random_state=seed)
    varies = np.ptp(X_train, axis=0) > 0
    scaler = StandardScaler().fit(X_train[:, varies])
    return scaler.transform(X_train[:, varies]), scaler.transform(X_test[:, varies])


def code_widths(n_features):
    widths = {max(1, n_features // share) for share in (4, 2)}
    return sorted(k for k in widths if k < n_features)


def unbounded(X):
    """What in a table lets a density grow without bound, as counts of columns.

    Discrete columns have at most 20 values, or one value in more than a fifth of the rows: a
    density can put a spike there. Dependent ones are what the rank lacks: copies of other columns
    or sums of them, so that the rows lie in a plane.
    """
    counts = [np.unique(column, return_counts=True)[1] for column in X.T]
    discrete = sum(len(count) <= 20 or count.max() > len(X) / 5 for count in counts)
    copies = X.shape[1] - np.unique(X.round(9), axis=1).shape[1]
    dependent = X.shape[1] - int(np.linalg.matrix_rank(X, rtol=1e-7))
    return {"discrete": int(discrete), "copies": copies, "dependent": dependent}


def measure(path, n_components, seed, method, max_rows):
    X_train, X_test = load_rows(path, seed, max_rows)
    shape = {"rows": len(X_train), "features": X_train.shape[1]} | unbounded(X_train)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            score_samples = CONTENDERS[method](X_train, n_components, seed)
            seconds = time.perf_counter() - start
            scores = score_samples(X_test)
        except Exception as error:  # PCA of a table without full rank has a result too: none
            return shape | {"nats": None, "error": f"{type(error).__name__}: {error}"[:200]}
    # The median, too: one row far out can outweigh all others in a mean of log-likelihoods.
    return shape | {
        "nats": float(np.mean(scores)),
        "median": float(np.median(scores)),
        "seconds": seconds,
    }


def run(arguments):
    out = arguments.out
    out.touch()
    done = {
        (r["table"], r["k"], r["seed"], r["method"])
        for r in map(json.loads, out.read_text().splitlines())
    }
    for seed in arguments.seeds:
        for table, path in load_tables(arguments.data).items():
            if arguments.tables and table not in arguments.tables:
                continue
            for k in code_widths(load_rows(path, seed, arguments.max_rows)[0].shape[1]):
                for method in arguments.methods:
                    if (table, k, seed, method) in done:
                        continue
                    case = {"table": table, "k": k, "seed": seed, "method": method}
                    with out.open("a") as file:
                        found = measure(path, k, seed, method, arguments.max_rows)
                        file.write(json.dumps(case | found) + "\n")


def mean_of(seeds, method, key="nats", digits=2):
    """The mean over seeds as a cell of a table, a dash where there is none."""
    values = [found[method][key] for found in seeds if found.get(method, {}).get(key) is not None]
    return f"{np.mean(values):.{digits}f}" if values else "-"


def gains_over_peers(results, method, key="nats"):
    """By how much a method is above the best of the peers, in each case that all have measured."""
    return {
        case: found[method][key] - max(found[peer][key] for peer in PEERS)
        for case, found in results.items()
        if all(found.get(name, {}).get(key) is not None for name in (*PEERS, method))
    }


def summarize(paths):
    """A table of Markdown, a row for each case with means over seeds, and what it comes to."""
    results = defaultdict(dict)
    for record in (json.loads(line) for path in paths for line in path.read_text().splitlines()):
        results[record["table"], record["k"], record["seed"]][record["method"]] = record
    vaes = [method for method in VAES if any(method in found for found in results.values())]

    columns = [*CONTENDERS, *(f"{method} (s)" for method in CONTENDERS)]
    print("| table | rows | k of d | " + " | ".join(columns) + " |")
    print("|" + "---|" * (len(columns) + 3))
    for table, k in sorted({case[:2] for case in results}):
        seeds = [found for case, found in results.items() if case[:2] == (table, k)]
        shape = next(iter(seeds[0].values()))
        cells = [mean_of(seeds, method) for method in CONTENDERS]
        cells += [mean_of(seeds, method, "seconds", 1) for method in CONTENDERS]
        print(f"| {table} | {shape['rows']} | {k} of {shape['features']} | {' | '.join(cells)} |")

    print("\nNo density is bounded where columns are discrete or depend on one another (seed 0):")
    tables = {}
    for (table, _, _), found in sorted(results.items(), key=lambda item: item[0][2]):
        tables.setdefault(table, next(iter(found.values())))
    for table, shape in sorted(tables.items()):
        kinds = [f"{shape[kind]} {kind}" for kind in ("discrete", "copies", "dependent")]
        if any(shape[kind] for kind in ("discrete", "copies", "dependent")):
            print(f"    {table}: {', '.join(kinds)} of {shape['features']} columns")

    for method in vaes:
        gains = gains_over_peers(results, method)
        values = np.array(list(gains.values()))
        medians = np.array(list(gains_over_peers(results, method, "median").values()))
        per_table = defaultdict(list)
        for (table, _, _), gain in gains.items():
            per_table[table].append(gain)
        means = {table: float(np.mean(values)) for table, values in sorted(per_table.items())}
        print(f"\n{method} against the better of {' and '.join(PEERS)}, nats per row:")
        print(f"Fits (table, k, seed): {len(gains)}")
        print(f"Above both: {np.mean(values > LEVEL):.1%}")
        print(f"Level (within {LEVEL}): {np.mean(np.abs(values) <= LEVEL):.1%}")
        print(f"Median gain: {np.median(values):+.2f}")
        print(f"Above both in the median row: {np.mean(medians > LEVEL):.1%}")
        above = sum(mean > LEVEL for mean in means.values())
        print(f"Tables above both, on average over k and seeds: {above} of {len(means)}")
        for table, mean in means.items():
            print(f"    {table}: {mean:+.2f}")
        print("Fits below:")
        for case, gain in sorted(gains.items()):
            if gain < -LEVEL:
                print(f"    {case}: {gain:+.3f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--data", type=Path, required=True)
    runner.add_argument("--out", type=Path, required=True)
    runner.add_argument("--methods", nargs="+", default=list(CONTENDERS), choices=list(CONTENDERS))
    runner.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    runner.add_argument("--tables", nargs="+")
    runner.add_argument("--max-rows", type=int, default=5_000)
    reporter = commands.add_parser("report")
    reporter.add_argument("results", nargs="+", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "report":
        return summarize(arguments.results)
    run(arguments)


if __name__ == "__main__":
    main()
