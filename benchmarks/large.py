"""Rows that are larger than memory: how fast, how large, how good against the same in memory.

Writes a table of curved rows as Parquet and as a file for mapping, then fits it in a process each,
for a fixed number of epochs: from Parquet, from the mapped file, and from an array in memory; the
latter on as many rows as memory allows, since it is rows per second that are compared.

    python benchmarks/large.py --folder DIR [--rows 20000000] [--in-memory 2000000] [--epochs 1]

Memory is the peak of the resident set over what the process had before `fit`; pages of a mapped
file that the system may drop at any time are told apart where it says so. R2 is on 20,000 rows that
no fit has seen.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

N_FEATURES = 50
MODEL = {"n_components": 8, "hidden_layer_sizes": (64,), "refit": False, "random_state": 0}


def rows(n_samples, seed):
    """Curved rows in 50 dimensions, float32."""
    fixed, rng = np.random.default_rng(0), np.random.default_rng(seed)
    mixing = fixed.normal(size=(24, N_FEATURES)).astype(np.float32)
    z = rng.normal(size=(n_samples, 8)).astype(np.float32)
    curved = np.hstack([z, np.sin(2 * z), z**2 - 1])
    return curved @ mixing + 0.3 * rng.normal(size=(n_samples, N_FEATURES)).astype(np.float32)


def write(folder, n_samples, step=500_000):
    import pyarrow
    import pyarrow.parquet as parquet

    paths = folder / "rows.parquet", folder / "rows.npy"
    if all(path.exists() for path in paths):
        return
    mapped = np.lib.format.open_memmap(
        paths[1], mode="w+", dtype=np.float32, shape=(n_samples, N_FEATURES)
    )
    names, writer = [f"x{j}" for j in range(N_FEATURES)], None
    for i, start in enumerate(range(0, n_samples, step)):
        part = rows(min(step, n_samples - start), seed=1 + i)
        mapped[start : start + step] = part
        table = pyarrow.table(dict(zip(names, part.T, strict=True)))
        writer = writer or parquet.ParquetWriter(paths[0], table.schema, compression="none")
        writer.write_table(table, row_group_size=100_000)
    writer.close()
    mapped.flush()


def resident():
    """Anonymous and file-backed memory of this process, in bytes."""
    status = dict(
        line.split(":", 1)
        for line in Path("/proc/self/status").read_text().splitlines()
        if ":" in line
    )
    return [1024 * int(status[name].split()[0]) for name in ("RssAnon", "RssFile")]


def measure(kind, folder, n_in_memory, n_epochs):
    import skae

    X = {
        "parquet": lambda: skae.data.from_parquet(folder / "rows.parquet"),
        "memmap": lambda: np.load(folder / "rows.npy", mmap_mode="r"),
        "memory": lambda: np.array(np.load(folder / "rows.npy", mmap_mode="r")[:n_in_memory]),
    }[kind]()
    model = skae.AutoencoderTransformer(**MODEL, max_iter=n_epochs)
    before, peak, done = resident(), [0, 0], threading.Event()

    def watch():
        while not done.wait(0.02):
            peak[:] = (max(pair) for pair in zip(peak, resident(), strict=True))

    watcher = threading.Thread(target=watch)
    watcher.start()
    start = time.perf_counter()
    model.fit(X)
    seconds = time.perf_counter() - start
    done.set()
    watcher.join()
    test = rows(20_000, seed=0)
    residual = test - model.inverse_transform(model.transform(test))
    unexplained = float(np.square(residual).sum() / np.square(test - test.mean(axis=0)).sum())
    n_samples = X.shape[0]
    print(
        json.dumps(
            {
                "rows from": kind,
                "rows": n_samples,
                "seconds": round(seconds, 1),
                "rows per second": round(n_samples * n_epochs / seconds),
                "MiB more": round((peak[0] - before[0]) / 2**20),
                "MiB in all": round(peak[0] / 2**20),
                "MiB of mapped pages": round(peak[1] / 2**20),
                "R2": round(1 - unexplained, 4),
            }
        ),
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=20_000_000)
    parser.add_argument("--in-memory", type=int, default=2_000_000)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--kind", choices=["parquet", "memmap", "memory"])
    arguments = parser.parse_args()
    if arguments.kind is not None:
        return measure(arguments.kind, arguments.folder, arguments.in_memory, arguments.epochs)
    write(arguments.folder, arguments.rows)
    for kind in ("memory", "memmap", "parquet"):
        subprocess.run([sys.executable, __file__, *sys.argv[1:], "--kind", kind], check=True)


if __name__ == "__main__":
    main()
