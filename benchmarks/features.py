"""Are codes better features than pixels where labels are few? And who predicts hidden cells?

The digits, three quarters to learn from without labels. "probe" is the accuracy on the rest of a
logistic regression on standardised codes of a few labelled rows (drawn ten times) or of all;
"cells" the root mean square error over hidden cells of the rest, a fifth or half of them.

    python benchmarks/features.py [--seeds 0 1]

One line a contender, in Markdown. Run it with OMP_NUM_THREADS=1.
"""

import argparse
import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.impute import KNNImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skae import AutoencoderTransformer, DenoisingAutoencoder, MaskedAutoencoder
from skae.impute import AutoencoderImputer

LABELS = (50, 200, None)
SHARES = (0.2, 0.5)
WIDTH = 32
MASKING = {"corruption": "masking_mean", "corruption_level": (0.1, 0.7)}
SWAP = {"corruption": "swap", "corruption_level": 0.3}


def skae(cls, **settings):
    return lambda seed: cls(WIDTH, refit=False, random_state=seed, **settings)


CONTENDERS = {
    "pixels; KNNImputer": lambda seed: FunctionTransformer(),
    f"PCA({WIDTH}); AutoencoderImputer": lambda seed: PCA(WIDTH, random_state=seed),
    "AutoencoderTransformer": skae(AutoencoderTransformer),
    "DenoisingAutoencoder, masking": skae(DenoisingAutoencoder, **MASKING),
    "MaskedAutoencoder": skae(MaskedAutoencoder),
    "DenoisingAutoencoder, swap": skae(DenoisingAutoencoder, **SWAP),
    "the same, contrast_weight=1": skae(DenoisingAutoencoder, contrast_weight=1.0, **SWAP),
}


def filler(model, X, seed):
    """What fills in the cells of rows, if anything does."""
    if isinstance(model, FunctionTransformer):
        return KNNImputer().fit(X).transform
    if isinstance(model, PCA):
        return AutoencoderImputer(random_state=seed).fit(X).transform
    return getattr(model, "impute", getattr(model, "denoise", None))


def accuracy(Z, y, Z_test, y_test, n_labels):
    scores = []
    for draw in range(10 if n_labels else 1):
        rows = np.random.default_rng(draw).permutation(len(Z))[:n_labels]
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        scores.append(probe.fit(Z[rows], y[rows]).score(Z_test, y_test))
    return np.mean(scores)


def measured(make, seed):
    X, y = load_digits(return_X_y=True)
    X, X_test, y, y_test = train_test_split(X / 16, y, test_size=0.25, random_state=seed)
    model = make(seed).fit(X)
    Z, Z_test = model.transform(X), model.transform(X_test)
    row = [accuracy(Z, y, Z_test, y_test, n) for n in LABELS]
    fill = filler(model, X, seed)
    for share in SHARES:
        hidden = np.random.default_rng(seed).random(X_test.shape) < share
        estimate = fill and fill(np.where(hidden, np.nan, X_test))
        row.append(np.sqrt(np.square(estimate - X_test)[hidden].mean()) if fill else np.nan)
    return row


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore")
    heads = [f"probe, {n or 'all'} labels" for n in LABELS] + [f"cells, {s:g}" for s in SHARES]
    print("| features; who fills in | " + " | ".join(heads) + " |")
    print("|---|" + "---|" * len(heads))
    for name, make in CONTENDERS.items():
        rows = np.mean([measured(make, seed) for seed in seeds], axis=0)
        cells = ["" if np.isnan(value) else f"{value:.3f}" for value in rows]
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)
