"""What does a GPU make of it? One command, one table; without a GPU it says so and ends.

    python benchmarks/gpu.py [--data DIR]

* rows: an epoch of the default AutoencoderTransformer on 1,000,000 x 100 in float32, as the
  difference between fits of six epochs and of one. Beside it the least time by the roofline: the
  operations of the networks' products, six for each weight and row, over the rate of a bare product
  of 8192 x 8192 matrices in float32, and the bytes, each activation written and read once forward
  and once backward, over the bandwidth of a bare copy; both are measured here.
* precision: the same epoch with ``precision="bfloat16"``; and both without CUDA graphs, each step
  asked for by Python.
* MNIST: squared error of a test image through 784-1000-500-250-30 and the seconds of the fit; to
  reach: below 2.5 in 30 s. Needs --data, the folder of mnist.npz.
* search: clock of BottleneckSearchCV over that of GridSearchCV, eight widths on five folds of
  1,000 x 20; to reach: one twentieth.
"""

import argparse
import time
import warnings
from itertools import product
from math import inf
from pathlib import Path
from unittest.mock import patch

import torch
from mnist_hinton import classic, images, squared_error
from search import WIDTHS, made
from sklearn.model_selection import GridSearchCV
from speed import curved

from skae import AutoencoderTransformer
from skae.model_selection import BottleneckSearchCV
from skae.training import _step

N_EPOCHS = 5


def clock(call):
    """Seconds of a call, the device's work included."""
    torch.cuda.synchronize()
    start = time.perf_counter()
    call()
    torch.cuda.synchronize()
    return time.perf_counter() - start


def of_device():
    """Operations and bytes a second, each the best of ten."""
    a = torch.randn(8192, 8192, device="cuda")
    seconds = min(clock(lambda: torch.mm(a, a)) for _ in range(10))
    source = torch.empty(2**28, device="cuda")
    target = torch.empty_like(source)
    copying = min(clock(lambda: target.copy_(source)) for _ in range(10))
    return 2 * 8192**3 / seconds, 2 * source.nbytes / copying


def least_seconds(model, n_rows, rate, bandwidth):
    """Of an epoch, by operations and by bytes."""
    autoencoder = model.module_.autoencoder
    n_weights = sum(p.numel() for p in autoencoder.parameters() if p.ndim == 2)
    layers = [part for part in autoencoder.modules() if hasattr(part, "out_features")]
    n_bytes = 4 * 4 * (model.n_features_in_ + sum(layer.out_features for layer in layers))
    return 6 * n_weights * n_rows / rate, n_bytes * n_rows / bandwidth


def epoch(X, **settings):
    """Seconds of an epoch, and the fitted model."""
    settings = {"cv": None, "refit": False, "random_state": 0, "device": "cuda"} | settings

    def fit(n_epochs):
        return AutoencoderTransformer(16, max_iter=n_epochs, **settings).fit(X)

    fit(1)
    seconds = [clock(lambda: fit(1 + N_EPOCHS)) - clock(lambda: fit(1)) for _ in range(3)]
    return sorted(seconds)[1] / N_EPOCHS, fit(1)


def rows(arguments):
    X = curved(1_000_000, 100)
    rate, bandwidth = of_device()
    print(f"\nfloat32 {rate / 1e12:.1f} TFLOP/s, copies {bandwidth / 1e9:.0f} GB/s\n")
    print(
        "| precision | steps | epoch, s | rows/s | least by operations, s | by bytes, s | share |"
    )
    print("|---|---|---|---|---|---|---|")
    for precision, steps in product(("float32", "bfloat16"), ("captured", "plain")):
        with patch.object(_step, "WORTH", _step.WORTH if steps == "captured" else inf):
            seconds, model = epoch(X, precision=precision)
        parts = least_seconds(model, 0.9 * len(X), rate, bandwidth)
        print(
            f"| {precision} | {steps} | {seconds:.3f} | {0.9 * len(X) / seconds:,.0f} | "
            f"{parts[0]:.3f} | {parts[1]:.3f} | {max(parts) / seconds:.2f} |",
            flush=True,
        )


def mnist(arguments):
    if arguments.data is None:
        print("\nMNIST: not measured, since there is no --data")
        return
    X_train, X_test = images(arguments.data)
    model = classic(
        dropout=0.05,
        alpha=0.3,
        batch_size=256,
        learning_rate_init=0.0015,
        max_iter=110,
        device="cuda",
    )
    seconds = clock(lambda: model.fit(X_train))
    print(f"\nMNIST: {squared_error(model, X_test):.3f} in {seconds:.1f} s")


def search(arguments):
    X, widths = made(1000, 20), WIDTHS["1,000 x 20"]
    model = AutoencoderTransformer(random_state=0, device="cuda")
    grid = GridSearchCV(model, {"n_components": widths}, cv=5, refit=False)
    at_once = BottleneckSearchCV(model, widths, cv=5, refit=False)
    ours, theirs = clock(lambda: at_once.fit(X)), clock(lambda: grid.fit(X))
    print(f"\nsearch: {ours:.1f} s, grid {theirs:.1f} s, ratio {ours / theirs:.3f}")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        print("No GPU that torch can use: nothing is measured.")
        return
    warnings.simplefilter("ignore")
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}")
    for part in (rows, mnist, search):
        part(arguments)


if __name__ == "__main__":
    main()
