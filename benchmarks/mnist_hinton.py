"""How close does the classic come: MNIST through 784-1000-500-250-30 (Hinton & Salakhutdinov 2006)?

Their error of a test image, summed over pixels in [0, 1], is 3.00 after pretraining with stacked
Boltzmann machines; 30 principal components leave 13.87.

    python benchmarks/mnist_hinton.py DIR [--epochs 150] [--threads 2]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer


def squared_error(model, X):
    """Mean over images of the squared error summed over pixels."""
    return float(np.square(model.inverse_transform(model.transform(X)) - X).sum(axis=1).mean())


def images(folder):
    """Training and test images, pixels in [0, 1]."""
    with np.load(folder / "mnist.npz") as archive:
        return [
            (archive[name].reshape(-1, 784) / 255).astype(np.float32)
            for name in ("X_train", "X_test")
        ]


def classic(**settings):
    """The autoencoder, with what the command line does not say."""
    return AutoencoderTransformer(
        30,
        hidden_layer_sizes=(1000, 500, 250),
        activation="gelu",
        loss="binary_cross_entropy",
        early_stopping=False,
        precision="bfloat16",
        random_state=0,
        **settings,
    )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the folder of mnist.npz")
    parser.add_argument("--epochs", type=int, default=150)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--alpha", type=float, default=0.3)
    parser.add_argument("--dropout", type=float, default=0.03)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rate", type=float, default=0.0015)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    X_train, X_test = images(arguments.data)
    print(f"PCA: test {squared_error(PCA(30, random_state=0).fit(X_train), X_test):.3f}")
    model = classic(
        dropout=arguments.dropout,
        alpha=arguments.alpha,
        batch_size=arguments.batch_size,
        learning_rate_init=arguments.rate,
        max_iter=arguments.epochs,
        verbose=1,
    )
    start = time.perf_counter()
    model.fit(X_train)
    seconds = time.perf_counter() - start
    print(
        f"skae: test {squared_error(model, X_test):.3f}, "
        f"train {squared_error(model, X_train):.3f}, "
        f"{arguments.epochs} epochs in {seconds:.0f} s on {arguments.threads} threads"
    )


if __name__ == "__main__":
    main()
