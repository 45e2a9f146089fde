"""How deep can a network be and still be trained: all at once, layer by layer, with shortcuts?

Share of the variance of held-out rows that eight (MNIST: sixteen) components explain, for encoders
and decoders of more and more hidden layers of 128 units. "at once" is `AutoencoderTransformer`,
"layerwise" `StackedAutoencoder`, "shortcuts" the former with ``residual=True``; all have the same
number of epochs in all, the same batches, and keep the weights that do best on a tenth of the
training rows. Each runs from random weights, with logistic units and with rectifiers, and from PCA.

    python benchmarks/depth.py run --out depth.jsonl [--data DIR]
    python benchmarks/depth.py report depth.jsonl

`run` appends one line of JSON for each measurement and skips those that are there already; MNIST
(5,000 rows of its training set) is left out without `--data`. Run it with OMP_NUM_THREADS=1.
"""

import argparse
import json
import time
import warnings
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer, StackedAutoencoder

METHODS = {
    "at once": lambda **settings: AutoencoderTransformer(**settings),
    "layerwise": lambda **settings: StackedAutoencoder(**settings),
    "shortcuts": lambda **settings: AutoencoderTransformer(residual=True, **settings),
}
STARTS = (("random", "logistic"), ("random", "relu"), ("pca", "relu"))
GRID = {
    "digits": {"depths": (2, 4, 8, 16), "n_components": 8, "max_iter": 100, "seeds": (0,)},
    "mnist": {"depths": (3, 6), "n_components": 16, "max_iter": 50, "seeds": (0,)},
}


def rows_of(name, data, seed):
    """Training rows and test rows."""
    if name == "digits":
        return train_test_split(load_digits().data / 16, test_size=0.25, random_state=seed)
    rng = np.random.default_rng(seed)
    with np.load(data / "mnist.npz") as archive:
        return tuple(
            rng.permutation(archive[part].reshape(-1, 784))[:n].astype(np.float32) / 255
            for part, n in (("X_train", 5000), ("X_test", 2000))
        )


def r2(model, X, X_test):
    error = X_test - model.inverse_transform(model.transform(X_test))
    return float(1 - np.square(error).sum() / np.square(X_test - X.mean(axis=0)).sum())


def cases(names):
    for name in names:
        plan = GRID[name]
        for seed in plan["seeds"]:
            yield {"data": name, "seed": seed, "method": "PCA"}
            for (init, activation), depth, method in product(STARTS, plan["depths"], METHODS):
                yield {
                    "data": name,
                    "seed": seed,
                    "depth": depth,
                    "init": init,
                    "activation": activation,
                    "method": method,
                }


def measured(case, data):
    X, X_test = rows_of(case["data"], data, case["seed"])
    plan, started = GRID[case["data"]], time.process_time()
    if case["method"] == "PCA":
        model = PCA(plan["n_components"], random_state=0)
    else:
        model = METHODS[case["method"]](
            n_components=plan["n_components"],
            hidden_layer_sizes=(128,) * case["depth"],
            init=case["init"],
            activation=case["activation"],
            max_iter=plan["max_iter"],
            refit=False,
            random_state=case["seed"],
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of collapse, which the numbers show
        model.fit(X)
    seconds = time.process_time() - started
    return {"r2": r2(model, X, X_test), "seconds": seconds, "best": getattr(model, "best_iter_", 0)}


def run(arguments):
    path = Path(arguments.out)
    lines = path.read_text().splitlines() if path.exists() else []
    done = [{k: v for k, v in json.loads(line).items() if k != "found"} for line in lines]
    for case in cases(["digits"] + ["mnist"] * (arguments.data is not None)):
        if case not in done:
            found = measured(case, arguments.data)
            with path.open("a") as file:
                file.write(json.dumps(case | {"found": found}) + "\n")


def report(arguments):
    records = [json.loads(line) for line in Path(arguments.out).read_text().splitlines()]

    def mean(value="r2", **wanted):
        found = [r["found"][value] for r in records if wanted.items() <= r.items()]
        return f"{np.mean(found):.3f}" if found else ""

    for name, plan in GRID.items():
        if not mean(data=name, method="PCA"):
            continue
        print(f"\n{name}, PCA: {mean(data=name, method='PCA')}\n")
        print("| start | units | hidden layers | " + " | ".join(METHODS) + " |")
        print("|---|---|---|" + "---|" * len(METHODS))
        for (init, activation), depth in product(STARTS, plan["depths"]):
            at = {"data": name, "init": init, "activation": activation, "depth": depth}
            cells = [mean(**at, method=method) for method in METHODS]
            print(f"| {init} | {activation} | {depth} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["run", "report"])
    parser.add_argument("out_file", nargs="?")
    parser.add_argument("--out")
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    arguments.out = arguments.out or arguments.out_file
    {"run": run, "report": report}[arguments.action](arguments)
