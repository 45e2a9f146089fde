"""How far do codes move under noise, and what does it cost?

The digits of scikit-learn, a quarter held out. `ContractiveAutoencoder` against the plain one,
the same with tied weights, and the denoising one. Codes are those of `transform`, whose units are
those of the output they drive: so an encoder that shrinks while its decoder grows gains nothing.

norm: mean squared Frobenius norm of the encoder's Jacobian at held-out rows, exact.
relative: the same over the variance of the codes, all in units of the data's root mean square.
accuracy: of five nearest neighbours among the codes of the training rows, on held-out rows with
    Gaussian noise of 0, 0.5, 1 and 1.5 times that root mean square.
R2: of held-out reconstructions, without noise.

    python benchmarks/contraction.py [--components 8] [--seeds 0 1] >> RESULTS.md
"""

import argparse
import time
from functools import partial

import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skae import AutoencoderTransformer, ContractiveAutoencoder, DenoisingAutoencoder
from skae.nn._contractive import squared_jacobian_norm

NOISE = (0.0, 0.5, 1.0, 1.5)
METHODS = {
    "plain": AutoencoderTransformer,
    "plain, tied": partial(AutoencoderTransformer, tied_weights=True),
    "denoising": DenoisingAutoencoder,
    "contractive": ContractiveAutoencoder,
    "contractive, weight 0.5": partial(ContractiveAutoencoder, contraction_weight=0.5),
    "contractive, not tied": partial(ContractiveAutoencoder, tied_weights=False),
    "contractive, weight 0.5, not tied": partial(
        ContractiveAutoencoder, contraction_weight=0.5, tied_weights=False
    ),
}


def measure(method, n_components, seed):
    """One line of the table."""
    X, y = load_digits(return_X_y=True)
    train, test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=seed)
    unit, rng = np.sqrt(train.var(axis=0).mean()), np.random.default_rng(seed)
    begin = time.process_time()
    model = METHODS[method](n_components, random_state=seed).fit(train)
    seconds = time.process_time() - begin
    Z = model.transform(test)
    # of `transform` as it is: the codes' units are the data's
    norm = squared_jacobian_norm(model.module_.encode, torch.tensor(test), rng=torch.Generator())
    norm = float(norm.detach().mean())
    neighbours = KNeighborsClassifier(5).fit(model.transform(train), y_train)
    noise = rng.normal(size=test.shape)
    accuracy = [
        neighbours.score(model.transform(test + size * unit * noise), y_test) for size in NOISE
    ]
    error = np.square(model.inverse_transform(Z) - test).sum()
    r2 = 1 - error / np.square(test - train.mean(axis=0)).sum()
    relative = norm * unit**2 / Z.var(axis=0).sum()
    return norm, relative, *accuracy, r2, seconds


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--components", type=int, default=8)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1])
    arguments = parser.parse_args()
    titles = ("norm", "relative", *(f"accuracy, {size:g}" for size in NOISE), "R2", "fit s")
    print("| method | k | " + " | ".join(titles) + " |")
    print("|" + "---|" * (2 + len(titles)))
    forms = (".2f", ".3f", *(".3f" for _ in NOISE), ".3f", ".0f")
    for method in METHODS:
        found = [measure(method, arguments.components, seed) for seed in arguments.seeds]
        cells = map(format, np.mean(found, axis=0), forms)
        print(f"| {method} | {arguments.components} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
