"""A sparse matrix that would not fit into memory as a dense one: how long, and how large?

    python benchmarks/sparse_rows.py [--rows 1000000] [--columns 20000] [--epochs 1]

Rows are documents of twenty words: twelve of their topic's, eight of any. Memory is the largest
resident set of the process, the matrix and the libraries included. R2 is on 500 of the rows.
"""

import argparse
import threading
import time

import numpy as np
import psutil
import scipy.sparse as sp

from skae import AutoencoderTransformer

N_TOPICS, N_OWN, N_WORDS = 20, 12, 20


def documents(n_rows, n_columns):
    """A CSR matrix of counts, float32."""
    rng = np.random.default_rng(0)
    topics = rng.integers(0, N_TOPICS, size=n_rows, dtype=np.int32)
    words = rng.integers(0, n_columns, size=(N_TOPICS, 400), dtype=np.int32)
    index = rng.integers(0, n_columns, size=(n_rows, N_WORDS), dtype=np.int32)
    index[:, :N_OWN] = words[topics[:, None], rng.integers(0, 400, size=(n_rows, N_OWN))]
    ends = np.arange(0, index.size + 1, N_WORDS)
    X = sp.csr_array(
        (np.ones(index.size, np.float32), index.ravel(), ends), shape=(n_rows, n_columns)
    )
    X.sum_duplicates()
    return X


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, default=20_000)
    parser.add_argument("--epochs", type=int, default=1)
    arguments = parser.parse_args()
    X = documents(arguments.rows, arguments.columns)
    process, peak, done = psutil.Process(), [0], threading.Event()

    def watch():
        while not done.wait(0.05):
            peak[0] = max(peak[0], process.memory_info().rss)

    before = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    model = AutoencoderTransformer(
        10, max_iter=arguments.epochs, hidden_layer_sizes=(64,), refit=False, random_state=0
    )
    print("| step | seconds | of the processor | MiB in all | MiB before |\n|---|---|---|---|---|")
    for step in ("fit", "transform"):
        clock, processor = time.perf_counter(), time.process_time()
        Z = getattr(model, step)(X)
        print(
            f"| {step} | {time.perf_counter() - clock:.0f} | "
            f"{time.process_time() - processor:.0f} | {peak[0] >> 20} | {before >> 20} |",
            flush=True,
        )
    done.set()
    watcher.join()
    some = X[:500].toarray()
    residual = some - model.inverse_transform(Z[:500])
    total = np.square(some - some.mean(axis=0)).sum()
    print(f"\n{X.nnz:,} cells are filled; R2 {1 - np.square(residual).sum() / total:.4f}")


if __name__ == "__main__":
    main()
