"""What does a search over the width of the code cost, and does it find what GridSearchCV finds?

Eight widths on five folds of three tables: 1,000 x 20 and 10,000 x 50, made of six hidden numbers
by a random network with noise, and 10,000 of MNIST's images.

    python benchmarks/search.py run --out results.jsonl --data DIR [--n-jobs -1] [--max-iter 20]
    python benchmarks/search.py report results.jsonl

`run` appends one line of JSON for each search and skips those that are there already. The seconds
of the processor are those of all threads, and count only with --n-jobs 1, as workers have their
own; on a machine that others use, too, they are what to compare (with OMP_NUM_THREADS=1), else the
seconds of the clock are. Scores are mean log-densities of held-out rows, in nats; "noise" is the
difference between two grid searches with different seeds.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.model_selection import GridSearchCV

from skae import AutoencoderTransformer
from skae.model_selection import BottleneckSearchCV

WIDTHS = {
    "1,000 x 20": (1, 2, 3, 4, 5, 6, 8, 10),
    "10,000 x 50": (1, 2, 4, 6, 8, 12, 16, 24),
    "MNIST": (2, 4, 8, 12, 16, 24, 32, 48),
}


def made(n_samples, n_features):
    """Rows near a curved surface of six dimensions."""
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(n_samples, 6))
    hidden = np.tanh(Z @ rng.normal(size=(6, 3 * n_features)))
    X = hidden @ rng.normal(size=(3 * n_features, n_features)) / np.sqrt(3 * n_features)
    return X + 0.1 * rng.normal(size=X.shape)


def table(name, data):
    if name == "MNIST":
        with np.load(data / "mnist.npz") as file:
            return file["X_train"][:10_000].reshape(10_000, 784).astype(np.float32) / 255
    return made(*(int(part.replace(",", "")) for part in name.split(" x ")))


def grid(seed, args, widths):
    model = AutoencoderTransformer(random_state=seed, max_iter=args.max_iter)
    return GridSearchCV(model, {"n_components": widths}, cv=5, refit=False, n_jobs=args.n_jobs)


def at_once(race):
    def make(seed, args, widths):
        model = AutoencoderTransformer(random_state=seed, max_iter=args.max_iter)
        return BottleneckSearchCV(
            model, widths, cv=5, refit=False, race=race, n_jobs=args.n_jobs, verbose=1
        )

    return make


SEARCHES = {
    "grid": (grid, 0),
    "at once": (at_once(False), 0),
    "race": (at_once(True), 0),
    "grid, other seed": (grid, 1),
}


def run(args):
    done = set()
    if args.out.exists():
        for line in args.out.read_text().splitlines():
            row = json.loads(line)
            done.add((row["table"], row["search"], row["max_iter"], row["n_jobs"]))
    for name in args.tables:
        X = table(name, args.data)
        for search_name in args.searches:
            if (name, search_name, args.max_iter, args.n_jobs) in done:
                continue
            make, seed = SEARCHES[search_name]
            search = make(seed, args, args.widths or WIDTHS[name])
            begun = time.perf_counter(), time.process_time()
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                search.fit(X)
            row = {
                "table": name,
                "search": search_name,
                "max_iter": args.max_iter,
                "n_jobs": args.n_jobs,
                "clock": time.perf_counter() - begun[0],
                "processor": time.process_time() - begun[1],
                "scores": search.cv_results_["mean_test_score"].tolist(),
                "best": search.best_params_["n_components"],
                "dropped": int(getattr(search, "dropped_", np.zeros(1)).sum()),
            }
            with args.out.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(json.dumps(row), flush=True)


def report(args):
    rows = [json.loads(line) for line in args.out.read_text().splitlines()]
    print("| table | epochs | jobs | search | clock, s | processor, s | ratio of clocks | ", end="")
    print(
        "ratio of processors | best width | its score | largest difference of a score | dropped |"
    )
    print("|" + "---|" * 12)
    for row in rows:
        same = [r for r in rows if all(r[k] == row[k] for k in ("table", "max_iter", "n_jobs"))]
        first = next((r for r in same if r["search"] == "grid"), row)
        gap = np.abs(np.subtract(row["scores"], first["scores"])).max()
        cells = [
            row["table"],
            row["max_iter"],
            row["n_jobs"],
            row["search"],
            f"{row['clock']:.0f}",
            f"{row['processor']:.0f}",
            f"{row['clock'] / first['clock']:.2f}",
            f"{row['processor'] / first['processor']:.2f}",
            row["best"],
            f"{max(row['scores']):.3f}",
            f"{gap:.3f}",
            f"{row['dropped']} of {len(row['scores'])}",
        ]
        print("| " + " | ".join(map(str, cells)) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "report"])
    parser.add_argument("results", nargs="?", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("."))
    parser.add_argument("--tables", nargs="*", default=list(WIDTHS))
    parser.add_argument("--searches", nargs="*", default=list(SEARCHES))
    parser.add_argument("--widths", nargs="*", type=int, help="other than all eight of a table")
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument(
        "--max-iter", type=lambda text: text if text == "auto" else int(text), default="auto"
    )
    args = parser.parse_args()
    args.out = args.out or args.results
    {"run": run, "report": report}[args.what](args)


if __name__ == "__main__":
    main()
