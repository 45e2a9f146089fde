"""At the same number of active components, who reconstructs better, and how fast?

scikit-learn's dictionary learning with two of its coders, orthogonal matching pursuit and the
lasso, against two settings of `SparseAutoencoder`: its default, "pursuit", and "top_k". A case is a
data set and a number of active components a row. Rows are centred by the training rows, since
scikit-learn's dictionaries have no intercept; tables are standardised.

    python benchmarks/sparse_codes.py run --data DIR --out results.jsonl [--methods skae omp lasso]
    python benchmarks/sparse_codes.py run --data DIR --out dead.jsonl --cases mnist_dead
    python benchmarks/sparse_codes.py report results.jsonl dead.jsonl

`run` appends one line of JSON for each measurement and skips those that are there already. Seconds
are the processor's, so that other work on the machine does not count; run it with one thread, for
they are summed over threads (OMP_NUM_THREADS=1).

The peers are favoured: each is fitted with all `ALPHAS`, and the report shows the one that is best
on the held-out rows. They are fitted for a given time, not to a stopping rule, so that seconds of
fit say what they were given and not what they need.

The case "mnist_dead" is of another kind, a code eight times as wide as the data, and asks which
share of it is ever used.
"""

import argparse
import json
import time
import warnings
from collections import defaultdict
from itertools import product
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import MiniBatchDictionaryLearning, SparseCoder
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_info

MAX_ROWS = 5_000
TARGETS = (2, 3, 5, 10)
# Penalties of the dictionary's own lasso, in units of the root mean square length of a row.
ALPHAS = (0.1, 0.2, 0.4)
STEPS = 1_000
FIT_SECONDS = 30
TIMED_ROWS = 1_000
REPEATS = 3
SKAE = {"skae": "pursuit", "skae_top_k": "top_k"}
DEAD_TARGET = 32
# The first six in alphabetical order that have 9 to 64 features.
TABLES = ("10_cover", "12_fault", "15_Hepatitis", "18_Ionosphere", "19_landsat", "22_magic.gamma")


def draw_patches(images, n_patches, rng, size=8):
    """Random square patches that are not blank, each less its mean."""
    patches = np.empty((0, size, size))
    while len(patches) < n_patches:
        image = rng.integers(len(images), size=n_patches)
        row, column = rng.integers(images.shape[1] - size + 1, size=(2, n_patches))
        within = np.arange(size)
        drawn = images[
            image[:, None, None],
            (row[:, None] + within)[:, :, None],
            (column[:, None] + within)[:, None, :],
        ]
        patches = np.concatenate([patches, drawn[drawn.std(axis=(1, 2)) > 0]])
    patches = patches[:n_patches].reshape(n_patches, -1)
    return patches - patches.mean(axis=1, keepdims=True)


def load_rows(name, folder, seed):
    """Training rows, test rows and the width of the code."""
    rng = np.random.default_rng(seed)
    if name == "mnist_patches":
        # Patches to learn from and patches to test with come from different images.
        with np.load(Path(folder) / "mnist.npz") as archive:
            images = archive["X_train"].astype(np.float32) / 255
        images = images[rng.permutation(len(images))]
        X_train = draw_patches(images[:50_000], 20_000, rng)
        X_test = draw_patches(images[50_000:], 5_000, rng)
        mean = X_train.mean(axis=0)
        return X_train - mean, X_test - mean, 256
    if name == "digits":
        X_train, X_test = train_test_split(
            load_digits().data / 16, test_size=0.25, random_state=seed
        )
        mean = X_train.mean(axis=0)
        return X_train - mean, X_test - mean, 128
    with np.load(Path(folder) / "adbench" / f"{name}.npz") as archive:
        X = archive["X"].astype(np.float64)
    if len(X) > MAX_ROWS:
        X = X[rng.choice(len(X), MAX_ROWS, replace=False)]
    X_train, X_test = train_test_split(X, test_size=0.25, random_state=seed)
    scaler = StandardScaler().fit(X_train)
    return scaler.transform(X_train), scaler.transform(X_test), 2 * X.shape[1]


def targets_for(n_features):
    """Up to three numbers of active components, none above a third of the features."""
    return [target for target in TARGETS if target <= n_features / 3][-3:]


def seconds_per_thousand(transform, X):
    """Median time to encode 1,000 rows, the same for everyone, after one warm-up."""
    X = np.resize(X, (TIMED_ROWS, X.shape[1]))  # a short table's rows come round again
    transform(X)
    seconds = []
    for _ in range(REPEATS):
        start = time.process_time()
        transform(X)
        seconds.append(time.process_time() - start)
    return float(np.median(seconds)) * 1000 / TIMED_ROWS


def evaluate(transform, decode, X_test):
    """What the codes of new rows say, how many numbers they take, and how long."""
    Z = transform(X_test)
    residual = X_test - decode(Z)
    return {
        # The training mean is the origin: see `load_rows`.
        "r2": 1 - float(np.square(residual).sum() / np.square(X_test).sum()),
        "active": float((Z != 0).sum(axis=1).mean()),
        "transform_seconds": seconds_per_thousand(transform, X_test),
        "threads": max(library["num_threads"] for library in threadpool_info()),
    }


def fit_dictionary(X, n_components, alpha, seed):
    """scikit-learn's dictionary after `STEPS` batches or `FIT_SECONDS`, and the seconds it took."""
    batch_size = min(256, len(X))
    learner = MiniBatchDictionaryLearning(
        n_components,
        alpha=alpha * np.sqrt(np.square(X).sum(axis=1).mean()),
        batch_size=batch_size,
        fit_algorithm="cd",  # several times as fast as "lars" at these sizes
        random_state=seed,
    )
    rng = np.random.default_rng(seed)
    start = time.process_time()
    # Batch by batch: the stopping rules of `fit` end after some tens of them, with a worse result.
    for step in range(STEPS):
        position = step * batch_size % (len(X) // batch_size * batch_size)
        if position == 0:
            order = rng.permutation(len(X))
        learner.partial_fit(X[order[position : position + batch_size]])
        if time.process_time() - start > FIT_SECONDS:
            break
    return learner.components_, time.process_time() - start


def code_by_omp(dictionary, target, X):
    return SparseCoder(
        dictionary, transform_algorithm="omp", transform_n_nonzero_coefs=target
    ).transform


def code_by_lasso(dictionary, target, X):
    """The lasso whose penalty leaves `target` coefficients a row of X, by bisection."""

    def coder(penalty):
        return SparseCoder(
            dictionary, transform_algorithm="lasso_lars", transform_alpha=penalty
        ).transform

    def active(penalty):
        return (coder(penalty)(X[:500]) != 0).sum(axis=1).mean()

    high = np.abs(X @ dictionary.T).max()
    low = high / 2
    while active(low) < target:  # downwards, for small penalties take long
        low, high = low / 2, low
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (middle, high) if active(middle) > target else (low, middle)
    return coder((low + high) / 2)


CODERS = {"omp": code_by_omp, "lasso": code_by_lasso}


def measure_peers(X_train, X_test, n_components, seed, alpha, pairs):
    """One dictionary serves all pairs of a coder and a number of active components."""
    dictionary, seconds = fit_dictionary(X_train, n_components, alpha, seed)
    for method, target in pairs:
        transform = CODERS[method](dictionary, target, X_test)
        found = evaluate(transform, lambda Z: Z @ dictionary, X_test)
        yield {"method": method, "target": target, "alpha": alpha, "fit_seconds": seconds} | found


def fit_skae(X, method, n_components, target, seed, **settings):
    """A fitted `SparseAutoencoder`, and the seconds that it took."""
    from skae import SparseAutoencoder

    model = SparseAutoencoder(
        n_components,
        sparsity=SKAE[method],
        n_nonzero_coefs=target,
        random_state=seed,
        **settings,
    )
    start = time.process_time()
    model.fit(X)
    return model, time.process_time() - start


def measure_skae(X_train, X_test, n_components, seed, method, target):
    model, seconds = fit_skae(X_train, method, n_components, target, seed)
    return {
        "method": method,
        "target": target,
        "fit_seconds": seconds,
        "dead": float(model.dead_components_.mean()),
    } | evaluate(model.transform, model.inverse_transform, X_test)


def measure_dead(folder, n_rows, seed, method, settings):
    with np.load(Path(folder) / "mnist.npz") as archive:
        X_train, X_test = (
            archive[part].reshape(-1, 784).astype(np.float32) / 255
            for part in ("X_train", "X_test")
        )
    chosen = np.random.default_rng(seed).permutation(len(X_train))[:n_rows]
    mean = X_train[chosen].mean(axis=0)
    X_train, X_test = X_train[chosen] - mean, X_test[:5_000] - mean
    n_components = 8 * X_train.shape[1]
    model, seconds = fit_skae(X_train, method, n_components, DEAD_TARGET, seed, **settings)
    return {
        "method": method,
        "target": DEAD_TARGET,
        "features": X_train.shape[1],
        "components": n_components,
        "rows": len(X_train),
        "settings": settings,
        "fit_seconds": seconds,
        "dead": float(model.dead_components_.mean()),
    } | evaluate(model.transform, model.inverse_transform, X_test)


def run(data, out, cases, methods, seeds, n_rows, settings):
    out.touch()
    done = {
        (r["case"], r["seed"], r["method"], r["target"], r.get("alpha"))
        for r in map(json.loads, out.read_text().splitlines())
    }

    def record(case, seed, found):
        with out.open("a") as file:
            file.write(json.dumps({"case": case, "seed": seed} | found) + "\n")

    warnings.simplefilter("ignore")
    ours = [method for method in methods if method in SKAE]
    for seed, case in product(seeds, cases):
        if case == "mnist_dead":
            for method in ours:
                if (case, seed, method, DEAD_TARGET, None) not in done:
                    record(case, seed, measure_dead(data, n_rows, seed, method, settings))
            continue
        X_train, X_test, n_components = load_rows(case, data, seed)
        size = {"features": X_train.shape[1], "components": n_components, "rows": len(X_train)}
        targets = targets_for(X_train.shape[1])
        for method, target in product(ours, targets):
            if (case, seed, method, target, None) not in done:
                found = measure_skae(X_train, X_test, n_components, seed, method, target)
                record(case, seed, size | found)
        for alpha in ALPHAS:
            pairs = [
                (method, target)
                for method, target in product(CODERS, targets)
                if method in methods and (case, seed, method, target, alpha) not in done
            ]
            if pairs:
                for found in measure_peers(X_train, X_test, n_components, seed, alpha, pairs):
                    record(case, seed, size | found)


def summarize(paths):
    """A table of Markdown, a row for each case with means over seeds, and what it comes to."""
    dead, results = [], defaultdict(dict)
    for found in (json.loads(line) for path in paths for line in path.read_text().splitlines()):
        if found["case"] == "mnist_dead":
            dead.append(found)
            continue
        best = results[found["case"], found["target"], found["seed"]]
        if found["method"] not in best or found["r2"] > best[found["method"]]["r2"]:
            best[found["method"]] = found  # of the peers' penalties, the one that does best

    columns = (("R2", "r2", ".3f", 1), ("ms", "transform_seconds", ".1f", 1000))
    columns += (("fit s", "fit_seconds", ".0f", 1),)
    methods = [*CODERS, *SKAE]
    titles = [f"{title} {method}" for title, *_ in columns for method in methods]
    print("ms: to encode 1,000 rows. Seconds are the processor's.\n")
    print("| data | rows | components of d | active | " + " | ".join(titles) + " |")
    print("|" + "---|" * (4 + len(titles)))
    for case, target in sorted({key[:2] for key in results}):
        seeds = [found for key, found in results.items() if key[:2] == (case, target)]
        size = next(iter(seeds[0].values()))
        cells = [
            case,
            f"{size['rows']}",
            f"{size['components']} of {size['features']}",
            f"{target}",
        ]
        for _, key, form, factor in columns:
            for method in methods:
                values = [factor * found[method][key] for found in seeds if method in found]
                cells.append(format(np.mean(values), form) if values else "-")
        print("| " + " | ".join(cells) + " |")

    for ours, peer in product(SKAE, CODERS):
        pairs = [
            (found[ours], found[peer]) for found in results.values() if {ours, peer} <= set(found)
        ]
        if not pairs:
            continue
        gaps = [our["r2"] - their["r2"] for our, their in pairs]
        print(f"\n{ours} against {peer} in {len(pairs)} measurements:")
        higher = np.mean([gap > 0 for gap in gaps])
        print(f"    R2 higher in {higher:.0%}; difference {spread(gaps, '+.3f')}")
        for what in ("transform", "fit"):
            times = [their[f"{what}_seconds"] / our[f"{what}_seconds"] for our, their in pairs]
            print(f"    {what}: as fast times {spread(times, '.1f')}")

    strays = {
        (*key, method): one["active"]
        for key, found in results.items()
        for method, one in found.items()
        if abs(one["active"] - key[1]) > 0.05 * key[1]
    }
    print(f"\nActive components off the number asked for by more than 5 %: {len(strays)}")
    for key, active in sorted(strays.items()):
        print(f"    {key}: {active:.2f}")
    if dead:
        print("\n| data | rows | components | active | method | dead | R2 | fit s | ms |")
        print("|---|---|---|---|---|---|---|---|---|")
    for one in dead:
        name = f"{one['method']} {one['settings'] or ''}"
        cells = (
            *("mnist", one["rows"], one["components"], f"{one['active']:.1f}", name),
            *(f"{one['dead']:.1%}", f"{one['r2']:.3f}", f"{one['fit_seconds']:.0f}"),
            f"{1000 * one['transform_seconds']:.1f}",
        )
        print("| " + " | ".join(map(str, cells)) + " |")


def spread(values, form):
    """Median, least and greatest."""
    median, least, most = (format(f(values), form) for f in (np.median, np.min, np.max))
    return f"{median} (median; {least} to {most})"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    cases, methods = ["digits", "mnist_patches", *TABLES, "mnist_dead"], [*SKAE, *CODERS]
    runner.add_argument("--data", type=Path, required=True)
    runner.add_argument("--out", type=Path, required=True)
    runner.add_argument("--cases", nargs="+", default=cases[:-1], choices=cases)
    runner.add_argument("--methods", nargs="+", default=methods, choices=methods)
    runner.add_argument("--seeds", nargs="+", type=int, default=[0])
    runner.add_argument("--rows", type=int, default=60_000, help="of MNIST, in mnist_dead")
    runner.add_argument("--max-iter", type=int, help="epochs in mnist_dead, refitting left out")
    reporter = commands.add_parser("report")
    reporter.add_argument("results", nargs="+", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "report":
        return summarize(arguments.results)
    settings = {"max_iter": arguments.max_iter, "refit": False} if arguments.max_iter else {}
    run(
        arguments.data,
        arguments.out,
        arguments.cases,
        arguments.methods,
        arguments.seeds,
        arguments.rows,
        settings,
    )


if __name__ == "__main__":
    main()
