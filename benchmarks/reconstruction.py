"""Who reconstructs new rows best at equal code width: PCA, skae, MLPRegressor, PyOD or encdr?

Every contender has its default parameters but for the width of the code. A case is a table and a
number of components; rows are split 75/25 and standardised by the training rows.

    python benchmarks/reconstruction.py run --data DIR --out results.jsonl [--methods skae pca]
    python benchmarks/reconstruction.py report results.jsonl

`run` appends one line of JSON for each fit and skips those that are there already, so that slow
peers need not be repeated; delete a contender's lines to measure it again.
"""

import argparse
import json
import logging
import os
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor
from sklearn.preprocessing import StandardScaler

MAX_ROWS = 10_000


def fit_skae(X, n_components, seed):
    from skae import AutoencoderTransformer

    model = AutoencoderTransformer(n_components, random_state=seed).fit(X)
    return lambda X: model.inverse_transform(model.transform(X))


def fit_pca(X, n_components, seed):
    model = PCA(n_components, random_state=seed).fit(X)
    return lambda X: model.inverse_transform(model.transform(X))


def fit_mlp(X, n_components, seed):
    return (
        MLPRegressor(hidden_layer_sizes=(100, n_components, 100), random_state=seed)
        .fit(X, X)
        .predict
    )


def fit_pyod(X, n_components, seed):
    import torch
    from pyod.models.auto_encoder import AutoEncoder

    # The rows are standardised already, and its own scaling would have to be undone to compare.
    model = AutoEncoder(
        hidden_neuron_list=[64, 32, n_components], preprocessing=False, random_state=seed, verbose=0
    ).fit(X)
    network = model.model.eval()

    def reconstruct(X):
        with torch.no_grad():
            return network(torch.from_numpy(X).float()).double().numpy()

    return reconstruct


def fit_encdr(X, n_components, seed):
    from encdr import ENCDR

    logging.getLogger("lightning").setLevel(logging.ERROR)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    quiet = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}
    model = ENCDR(latent_dim=n_components, random_state=seed, trainer_kwargs=quiet).fit(X)
    return lambda X: model.inverse_transform(model.transform(X))


CONTENDERS = {
    "pca": fit_pca,
    "skae": fit_skae,
    "mlp": fit_mlp,
    "pyod": fit_pyod,
    "encdr": fit_encdr,
}


def load_tables(folder):
    """Names and paths of the tables, small files first."""
    paths = sorted(
        [*Path(folder).glob("adbench/*.npz"), Path(folder) / "mnist.npz"], key=os.path.getsize
    )
    return {path.stem: path for path in paths}


def load_rows(path, seed):
    """At most `MAX_ROWS` rows, split 75/25 and standardised by the training rows."""
    with np.load(path) as archive:
        X = archive["X_train" if "X_train" in archive else "X"]
    X = X.reshape(len(X), -1).astype(np.float64)
    if len(X) > MAX_ROWS:
        X = X[np.random.default_rng(seed).choice(len(X), MAX_ROWS, replace=False)]
    X_train, X_test = train_test_split(X, test_size=0.25, random_state=seed)
    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train), scaler.transform(X_test)


def code_widths(n_features):
    return sorted({2, *(max(1, n_features // share) for share in (8, 4, 2))})


def measure(path, n_components, seed, method):
    X_train, X_test = load_rows(path, seed)
    start = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            reconstruct = CONTENDERS[method](X_train, n_components, seed)
        except Exception as error:  # a peer that crashes on a small table has a result too: none
            return {"r2": None, "error": f"{type(error).__name__}: {error}"[:200]}
    seconds = time.perf_counter() - start
    r2 = r2_score(X_test, reconstruct(X_test), multioutput="variance_weighted")
    return {"r2": r2, "seconds": seconds, "rows": len(X_train), "features": X_train.shape[1]}


def run(data, out, methods, seeds, tables=None):
    out.touch()
    done = {
        (r["table"], r["k"], r["seed"], r["method"])
        for r in map(json.loads, out.read_text().splitlines())
    }
    for seed in seeds:
        for table, path in load_tables(data).items():
            if tables and table not in tables:
                continue
            for k in code_widths(load_rows(path, seed)[0].shape[1]):
                for method in methods:
                    if (table, k, seed, method) in done:
                        continue
                    case = {"table": table, "k": k, "seed": seed, "method": method}
                    with out.open("a") as file:
                        file.write(json.dumps(case | measure(path, k, seed, method)) + "\n")


def summarize(paths):
    """A table of Markdown, a row for each case with means over seeds, and what it comes to."""
    results = defaultdict(dict)
    for record in (json.loads(line) for path in paths for line in path.read_text().splitlines()):
        results[record["table"], record["k"], record["seed"]][record["method"]] = record
    results = {case: found for case, found in results.items() if {"pca", "skae"} <= set(found)}

    def r2(found, method):
        return found.get(method, {}).get("r2")

    peers = [method for method in CONTENDERS if method != "skae"]
    print("| table | rows | k of d | " + " | ".join(peers) + " | skae |")
    print("|" + "---|" * (len(peers) + 4))
    for table, k in sorted({case[:2] for case in results}):
        seeds = [found for case, found in results.items() if case[:2] == (table, k)]
        rows, features = seeds[0]["skae"]["rows"], seeds[0]["skae"]["features"]
        cells = []
        for method in (*peers, "skae"):
            values = [r2(found, method) for found in seeds if r2(found, method) is not None]
            cells.append(f"{np.mean(values):.3f}" if values else "-")
        print(f"| {table} | {rows} | {k} of {features} | " + " | ".join(cells) + " |")

    gains = {case: r2(found, "skae") - r2(found, "pca") for case, found in results.items()}
    best = {
        case: max(r2(f, p) for p in peers if r2(f, p) is not None) for case, f in results.items()
    }
    behind = {case: r2(found, "skae") - best[case] for case, found in results.items()}
    narrow = [g for case, g in gains.items() if case[1] <= results[case]["skae"]["features"] / 4]
    print(f"\nFits (table, k, seed): {len(results)}")
    print(f"Below PCA by more than 0.002: {sum(gain < -0.002 for gain in gains.values())}")
    for case, gain in sorted(gains.items()):
        if gain < -0.002:
            print(f"    {case}: {gain:+.3f}")
    share = np.mean([gap >= -0.005 for gap in behind.values()])
    print(f"At least the best peer minus 0.005: {share:.1%}")
    for case, gap in sorted(behind.items()):
        if gap < -0.005:
            print(f"    {case}: {gap:+.3f}")
    print(f"Median gain over PCA at k <= d/4: {np.median(narrow):+.3f}")


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
    reporter = commands.add_parser("report")
    reporter.add_argument("results", nargs="+", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "report":
        return summarize(arguments.results)
    run(arguments.data, arguments.out, arguments.methods, arguments.seeds, arguments.tables)


if __name__ == "__main__":
    main()
