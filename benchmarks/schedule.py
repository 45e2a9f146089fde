"""Which schedule of training reaches the best held-out R2 for its time?

`AutoencoderTransformer(d // 4)` with its defaults, and with one of them changed: the shape of the
schedule, its peak, its length, the rows in a step, the solver. "x 2" is twice what "auto" stands
for on that table. Fewer rows in a step leave the number of steps as it is, unless the length is
said to change, too. Rows are split 75/25 and standardised by the training rows.

    python benchmarks/schedule.py run --data DIR --out results.jsonl [--tables T ...] [--seeds 0]
    python benchmarks/schedule.py report results.jsonl

`run` appends one line of JSON for each fit and skips those that are there. Seconds are the
processor's, on one thread.
"""

import argparse
import json
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from reconstruction import load_rows, load_tables
from sklearn.metrics import r2_score
from threadpoolctl import threadpool_limits

from skae import AutoencoderTransformer
from skae.autoencoders._sizes import batch_rows, epochs, hidden_widths, peak_learning_rate

MAX_ROWS = 4000  # of the training rows, so that a table takes minutes


def defaults(X):
    """What "auto" stands for: batch_size, max_iter, learning_rate_init."""
    batch_size = batch_rows(len(X))
    rate = peak_learning_rate(max(hidden_widths(*X.shape)))
    return batch_size, epochs(len(X), batch_size), rate


def scaled(*, rows=1.0, length=1.0, rate=1.0):
    """Parameters that are some times their defaults; the number of steps is that times `length`."""

    def parameters(X):
        batch_size, _, peak = defaults(X)
        batch_size = min(round(batch_size * rows), len(X))
        return {
            "batch_size": batch_size,
            "max_iter": max(1, round(epochs(len(X), batch_size) * length)),
            "learning_rate_init": peak * rate,
        }

    return parameters


def shorter(length):
    """Fewer steps, with the peak that "auto" stands for then."""
    return lambda X: {"max_iter": scaled(length=length)(X)["max_iter"]}


SCHEDULES = {
    "default": lambda X: {},
    "cosine": lambda X: {"learning_rate": "cosine"},
    "constant": lambda X: {"learning_rate": "constant"},
    "peak x 1/4": scaled(rate=1 / 4),
    "peak x 1/2": scaled(rate=1 / 2),
    "peak x 2": scaled(rate=2),
    "peak x 4": scaled(rate=4),
    "length x 1/2": scaled(length=1 / 2),
    "length x 1/2, peak x 2": scaled(length=1 / 2, rate=2),
    "length x 2": scaled(length=2),
    "length x 1/4": scaled(length=1 / 4),
    "length x 1/4, auto peak": shorter(1 / 4),
    "length x 1/16": scaled(length=1 / 16),
    "length x 1/16, auto peak": shorter(1 / 16),
    "rows x 1/2": scaled(rows=1 / 2),
    "rows x 2": scaled(rows=2),
    "rows x 4, peak x 2": scaled(rows=4, rate=2),
    "rows x 4, length x 1/2, peak x 2": scaled(rows=4, length=1 / 2, rate=2),
    "sgd, peak x 20": lambda X: {"solver": "sgd", "learning_rate_init": 20 * defaults(X)[2]},
}


def fitted(train, test, **settings):
    """Held-out R2 of a fit, and its seconds."""
    model = AutoencoderTransformer(max(1, train.shape[1] // 4), **settings)
    start = time.process_time()
    model.fit(train)
    seconds = time.process_time() - start
    found = model.inverse_transform(model.transform(test))
    return r2_score(test, found, multioutput="variance_weighted"), seconds


def run(arguments):
    done = set()
    if arguments.out.exists():
        rows = map(json.loads, arguments.out.read_text().splitlines())
        done = {(row["table"], row["schedule"], row["seed"]) for row in rows}
    AutoencoderTransformer(1, max_iter=1).fit(np.eye(20))  # import and warm up
    tables = load_tables(arguments.data)
    for table in arguments.tables or tables:
        for seed in arguments.seeds:
            train, test = load_rows(tables[table], seed)
            train = train[:MAX_ROWS]
            for schedule in arguments.schedules:
                if (table, schedule, seed) in done:
                    continue
                r2, seconds = fitted(train, test, random_state=seed, **SCHEDULES[schedule](train))
                row = {
                    "table": table,
                    "schedule": schedule,
                    "seed": seed,
                    "r2": r2,
                    "seconds": seconds,
                }
                with arguments.out.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(json.dumps(row), flush=True)


def report(arguments):
    rows = [json.loads(line) for line in arguments.out.read_text().splitlines()]
    found = {(row["table"], row["seed"], row["schedule"]): row for row in rows}
    names = [name for name in SCHEDULES if any(row["schedule"] == name for row in rows)]
    cases = sorted({(row["table"], row["seed"]) for row in rows})
    cases = [case for case in cases if all((*case, name) in found for name in names)]
    print(f"{len(cases)} fits each, of {len({table for table, _ in cases})} tables\n")
    print("| schedule | R2, mean difference | least | most | better | worse | time |")
    print("|---|---|---|---|---|---|---|")
    for name in names:
        pairs = [(found[*case, name], found[*case, "default"]) for case in cases]
        gains = np.array([row["r2"] - default["r2"] for row, default in pairs])
        times = [row["seconds"] / default["seconds"] for row, default in pairs]
        print(
            f"| {name} | {gains.mean():+.4f} | {gains.min():+.3f} | {gains.max():+.3f} | "
            f"{(gains > 0.005).sum()} | {(gains < -0.005).sum()} | {np.median(times):.2f} |"
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["run", "report"])
    parser.add_argument("results", nargs="?", type=Path)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--data", type=Path, default=Path("."))
    parser.add_argument("--tables", nargs="+")
    parser.add_argument("--schedules", nargs="+", default=list(SCHEDULES), choices=SCHEDULES)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    arguments = parser.parse_args()
    arguments.out = arguments.out or arguments.results
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with threadpool_limits(1):
        {"run": run, "report": report}[arguments.what](arguments)


if __name__ == "__main__":
    main()
