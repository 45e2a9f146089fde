"""Who fills in masked cells best: the mean, nearest neighbours, chained regressions or skae?

The first ten tables of `DIR/adbench` with 6 to 60 columns, in alphabetical order, at most 5,000
rows each, are split 75/25 and standardised by the training rows; columns that are constant in them
are dropped. A fifth of the cells of the test rows is masked at random and filled in again. The
score is the root mean square error over the masked cells, in standard deviations of the columns.
Protocols:

* complete: the training rows have all their cells;
* holes: a fifth of the training cells is masked, too. skae is fitted on rows that are filled in
  with the columns' means; the peers take the holes as they are.

Every contender has its defaults, and IterativeImputer a second entry whose rounds do not end early;
skae learns to fill in a fifth of the cells, and estimates them in 1, 3 or 10 passes.

    python benchmarks/masked_cells.py run --data DIR --out results.jsonl [--protocols complete]
    python benchmarks/masked_cells.py report results.jsonl

`run` appends one line of JSON for each result and skips fits that are there already.
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
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

MAX_ROWS = 5_000
N_TABLES = 10
SHARE = 0.2
PASSES = (1, 3, 10)
PROTOCOLS = ("complete", "holes")


def tables(data):
    """Names and rows of the tables to fill in, chosen by their names and widths alone."""
    found = {}
    for path in sorted(data.glob("adbench/*.npz")):
        with np.load(path) as archive:
            X = archive["X"].astype(np.float64)
        if 6 <= X.shape[1] <= 60:
            found[path.stem] = X
    return dict(list(found.items())[:N_TABLES])


def load_case(X, seed, protocol):
    """Training rows, complete test rows, and where the test rows are masked."""
    rng = np.random.default_rng(seed)
    if len(X) > MAX_ROWS:
        X = X[rng.choice(len(X), MAX_ROWS, replace=False)]
    X_train, X_test = train_test_split(X, test_size=0.25, random_state=seed)
    varies = np.ptp(X_train, axis=0) > 0
    scaler = StandardScaler().fit(X_train[:, varies])
    X_train, X_test = (scaler.transform(rows[:, varies]) for rows in (X_train, X_test))
    masked = rng.random(X_test.shape) < SHARE
    if protocol == "holes":
        X_train = np.where(rng.random(X_train.shape) < SHARE, np.nan, X_train)
    return X_train, X_test, masked


def fit_mean(X, seed):
    return {"mean": SimpleImputer(keep_empty_features=True).fit(X).transform}


def fit_neighbours(X, seed):
    return {"KNNImputer": KNNImputer(keep_empty_features=True).fit(X).transform}


def fit_chained(X, seed):
    imputer = IterativeImputer(keep_empty_features=True, random_state=seed)
    return {"IterativeImputer": imputer.fit(X).transform}


def fit_chained_to_the_end(X, seed):
    # On complete rows nothing changes from one round to the next, so that its default of `tol` ends
    # after the first, and new rows get a single round, too. This makes all ten.
    imputer = IterativeImputer(tol=0, keep_empty_features=True, random_state=seed)
    return {"IterativeImputer, tol=0": imputer.fit(X).transform}


def fit_skae(X, seed):
    from skae import DenoisingAutoencoder

    X = SimpleImputer().fit_transform(X)
    model = DenoisingAutoencoder(
        corruption="masking_mean", corruption_level=SHARE, random_state=seed
    ).fit(X)
    return {f"skae, n_passes={n}": (lambda X, n=n: model.denoise(X, n_passes=n)) for n in PASSES}


FITS = {
    "mean": fit_mean,
    "knn": fit_neighbours,
    "iterative": fit_chained,
    "iterative_tol0": fit_chained_to_the_end,
    "skae": fit_skae,
}
PEERS = ("KNNImputer", "IterativeImputer", "IterativeImputer, tol=0")


def measure(X_train, X_test, masked, seed, method):
    """One record for each way of filling in that the fit allows."""
    holes = np.where(masked, np.nan, X_test)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        fills = FITS[method](X_train, seed)
        fit_seconds = time.perf_counter() - start
        for name, fill in fills.items():
            start = time.perf_counter()
            filled = fill(holes)
            seconds = time.perf_counter() - start
            yield {
                "name": name,
                "rmse": np.sqrt(np.mean((filled - X_test)[masked] ** 2)),
                "fit_seconds": fit_seconds,
                "transform_seconds": seconds,
                "rows": len(X_train),
                "features": X_train.shape[1],
            }


def run(data, out, protocols, methods, seeds, only=None):
    out.touch()
    done = {
        (r["protocol"], r["table"], r["seed"], r["method"])
        for r in map(json.loads, out.read_text().splitlines())
    }
    for table, X in tables(data).items():
        if only and table not in only:
            continue
        for protocol in protocols:
            for seed in seeds:
                case = load_case(X, seed, protocol)
                for method in methods:
                    if (protocol, table, seed, method) in done:
                        continue
                    about = {"protocol": protocol, "table": table, "seed": seed, "method": method}
                    records = [about | record for record in measure(*case, seed, method)]
                    with out.open("a") as file:
                        file.writelines(json.dumps(record) + "\n" for record in records)


def report(paths):
    """Tables of Markdown, means over the seeds, and on how many tables skae is ahead."""
    results = defaultdict(list)
    for record in (json.loads(line) for path in paths for line in path.read_text().splitlines()):
        results[record["protocol"], record["table"], record["name"]].append(record)
    names = ["mean", *PEERS, *(f"skae, n_passes={n}" for n in PASSES)]

    def mean(case, name="rmse"):
        found = results.get(case)
        return np.mean([record[name] for record in found]) if found else np.nan

    for protocol in PROTOCOLS:
        shown = list(dict.fromkeys(case[1] for case in results if case[0] == protocol))
        if not shown:
            continue
        print(f"\n{protocol}\n")
        print("| table | rows | d | " + " | ".join(names) + " |")
        print("|" + "---|" * (len(names) + 3))
        errors = np.array([[mean((protocol, table, name)) for name in names] for table in shown])
        for table, line in zip(shown, errors, strict=True):
            about = results[protocol, table, "mean"][0]
            print(
                f"| {table} | {about['rows']} | {about['features']} | "
                + " | ".join(f"{error:.3f}" for error in line)
                + " |"
            )
        for name in ("fit_seconds", "transform_seconds"):
            seconds = [sum(mean((protocol, table, n), name) for table in shown) for n in names]
            print(f"| {name}, sum | | | " + " | ".join(f"{s:.1f}" for s in seconds) + " |")
        peers, ours = np.split(errors[:, 1:], [len(PEERS)], axis=1)
        best = peers.min(axis=1)
        for name, error in zip(names[-len(PASSES) :], ours.T, strict=True):
            if np.isnan(error).any():
                continue
            ahead = ", ".join(
                f"below {peer} on {(error < theirs).sum()}"
                for peer, theirs in zip(PEERS, peers.T, strict=True)
            )
            print(
                f"\n{name}: {ahead}, below all of them on {(error < best).sum()} of {len(shown)}"
                f" tables; geometric mean of its error over the best of theirs:"
                f" {np.exp(np.log(error / best).mean()):.3f}"
            )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--data", type=Path, required=True)
    runner.add_argument("--out", type=Path, required=True)
    runner.add_argument("--protocols", nargs="+", default=list(PROTOCOLS), choices=PROTOCOLS)
    runner.add_argument("--methods", nargs="+", default=list(FITS), choices=list(FITS))
    runner.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    runner.add_argument("--tables", nargs="+")
    reporter = commands.add_parser("report")
    reporter.add_argument("results", nargs="+", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "report":
        return report(arguments.results)
    run(
        arguments.data,
        arguments.out,
        arguments.protocols,
        arguments.methods,
        arguments.seeds,
        arguments.tables,
    )


if __name__ == "__main__":
    main()
