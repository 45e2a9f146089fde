"""What is the likelihood of a digit: binarised MNIST through 784-200-200-50 (Burda et al. 2016)?

Grey values are probabilities: training draws black and white afresh in every step, and the test
images are drawn once. Table 1 of the paper has a negative log-likelihood of 86.76 nats for this
network as a VAE and 84.78 as an importance weighted autoencoder of 50 samples, estimated with 5,000
samples after 3,280 epochs.

    python benchmarks/mnist_vae.py DIR [--epochs 100] [--threads 2] [--importance-samples 5000]
"""

import argparse
import time
from pathlib import Path

import numpy as np
import torch

from skae import VAETransformer


def lower_bound(model, X, n_importance_samples):
    """Mean over images of the bound on the log-likelihood, in nats, and its standard error."""
    rows = max(1, 50_000 // n_importance_samples)  # a chunk's samples fit into memory together
    chunks = [X[start : start + rows] for start in range(0, len(X), rows)]
    scores = np.concatenate(
        [model.score_samples(chunk, n_importance_samples=n_importance_samples) for chunk in chunks]
    )
    return scores.mean(), scores.std() / np.sqrt(len(scores))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("data", type=Path, help="the folder of mnist.npz")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--rate", type=float, default=0.006)
    parser.add_argument("--alpha", type=float, default=0.01)
    parser.add_argument(
        "--training-samples", type=int, default=1, help="importance samples in training"
    )
    parser.add_argument(
        "--importance-samples", type=int, help="of a tighter bound, on the first --rows test images"
    )
    parser.add_argument("--rows", type=int, default=1_000)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)

    with np.load(arguments.data / "mnist.npz") as archive:
        X_train, X_test = (
            (archive[name].reshape(-1, 784) / 255).astype(np.float32)
            for name in ("X_train", "X_test")
        )
    X_test = (np.random.default_rng(0).random(X_test.shape) < X_test).astype(np.float32)

    model = VAETransformer(
        50,
        hidden_layer_sizes=(200, 200),
        activation="tanh",
        loss="binary_cross_entropy",
        n_importance_samples=arguments.training_samples,
        alpha=arguments.alpha,
        batch_size=arguments.batch_size,
        learning_rate_init=arguments.rate,
        max_iter=arguments.epochs,
        early_stopping=False,
        random_state=0,
        verbose=1,
    )
    start = time.perf_counter()
    model.fit(X_train)
    seconds = time.perf_counter() - start
    print(
        f"{arguments.epochs} epochs in {seconds:.0f} s on {arguments.threads} threads, "
        f"{model.active_components_.sum()} of 50 components active"
    )
    estimates = [("ELBO", X_test, 1), ("IWAE bound", X_test, 50)]
    if arguments.importance_samples:
        estimates.append(("IWAE bound", X_test[: arguments.rows], arguments.importance_samples))
    for name, X, n_samples in estimates:
        mean, error = lower_bound(model, X, n_samples)
        print(
            f"{name}, {n_samples} samples, {len(X)} images: "
            f"{mean:.2f} nats (standard error {error:.2f})"
        )


if __name__ == "__main__":
    main()
