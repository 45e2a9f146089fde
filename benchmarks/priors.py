"""Whose codes follow the prior, and whose decoded draws look like rows?

`VAETransformer`, `WassersteinAutoencoder` and `AdversarialAutoencoder` with a standard normal
prior, and the start of the latter two, which is PCA with a Gaussian. A quarter of the rows is held
out. Measured are, on these:

codes: squared MMD of codes from as many normal draws, without bias, in thousandths; of the VAE
    those of posterior means and of draws from the posterior, whose aggregate the prior is for.
rows: squared MMD of new rows from held-out ones, in thousandths.
1-NN: accuracy of the leave-one-out nearest neighbour that tells new rows from held-out ones; 0.5 is
    best. Decoded rows lack the noise that a code leaves out, and are told from data by that alone:
1-NN, decoded: so here is the same accuracy against reconstructions of held-out rows.
R2: of held-out reconstructions.

    python benchmarks/priors.py --data DIR [--cases digits 19_landsat] [--seeds 0] >> RESULTS.md
"""

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from skae import AdversarialAutoencoder, VAETransformer, WassersteinAutoencoder
from skae.nn._priors import squared_mmd

TABLES = ("19_landsat", "22_magic.gamma", "38_thyroid")
MAX_ROWS = 3_000
N_COMPONENTS = {"22_magic.gamma": 4, "38_thyroid": 3}  # of ten features, and of six; else 8
METHODS = {
    "pca": partial(WassersteinAutoencoder, max_iter=0),
    "vae": VAETransformer,
    "wae": WassersteinAutoencoder,
    "aae": AdversarialAutoencoder,
}


def load(case, data, seed):
    """Rows to learn from and rows to judge by; tables are standardised, digits are not."""
    if case == "digits":
        return train_test_split(load_digits().data, test_size=0.25, random_state=seed)
    with np.load(data / "adbench" / f"{case}.npz", allow_pickle=True) as file:
        X = np.asarray(file["X"], dtype=np.float64)
    X = X[np.random.default_rng(seed).permutation(len(X))[:MAX_ROWS]]
    train, test = train_test_split(X, test_size=0.25, random_state=seed)
    scaler = StandardScaler().fit(train)
    return scaler.transform(train), scaler.transform(test)


def discrepancy(A, B, scale):
    """Squared MMD in thousandths, in units in which a column has about unit variance."""
    return 1000 * float(squared_mmd(torch.tensor(A / scale), torch.tensor(B / scale)))


def told_apart(A, B):
    """Leave-one-out accuracy of the nearest neighbour."""
    rows, label = np.vstack([A, B]), np.repeat([0, 1], [len(A), len(B)])
    nearest = NearestNeighbors(n_neighbors=2).fit(rows).kneighbors(rows)[1][:, 1]
    return float((label[nearest] == label).mean())


def measure(train, test, method, n_components, seed):
    """One line of the table for each way to draw."""
    begin = time.process_time()
    model = METHODS[method](n_components, random_state=seed).fit(train)
    seconds = time.process_time() - begin
    rng = np.random.default_rng(seed)
    Z, scale = model.transform(test), np.sqrt(train.var(axis=0).mean())
    decoded = model.inverse_transform(Z)
    r2 = 1 - np.square(decoded - test).sum() / np.square(test - train.mean(axis=0)).sum()
    drawn = rng.normal(size=Z.shape)
    ways = {"": (Z, {})}
    if method == "vae":
        posterior = model.sample_posterior(test, random_state=seed)
        ways = {", means": (Z, {"noise": False}), ", draws": (posterior, {"noise": True})}
    for name, (codes, how) in ways.items():
        new = model.sample(len(test), random_state=seed, **how)
        yield (
            method + name,
            f"{discrepancy(codes, drawn, 1.0):.1f}",
            f"{discrepancy(new, test, scale):.1f}",
            f"{told_apart(new, test):.3f}",
            f"{told_apart(new, decoded):.3f}",
            f"{r2:.3f}",
            f"{seconds:.0f}",
        )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cases", nargs="+", default=["digits", *TABLES])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    arguments = parser.parse_args()
    titles = ("data", "rows", "k", "seed", "method", "codes", "rows", "1-NN", "1-NN, decoded")
    print("| " + " | ".join([*titles, "R2", "fit s"]) + " |")
    print("|" + "---|" * 11)
    for case in arguments.cases:
        for seed in arguments.seeds:
            train, test = load(case, arguments.data, seed)
            k = N_COMPONENTS.get(case, 8)
            for method in METHODS:
                for line in measure(train, test, method, k, seed):
                    cells = (case, f"{len(train)}", f"{k}", f"{seed}", *line)
                    print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
