"""Does it help to know which pixels are neighbours? Convolutions against dense layers and PCA.

* digits, mnist: share of the variance of test images that comes back from 8 or 16 components.
* denoising: digits in [0, 1] under Gaussian noise of 0.5, seen through 32 components; PSNR, in dB.
* inpainting: digits of which a square of four by four pixels is missing (its mean is put there,
  which is what "block" noise does); PSNR of the pixels that are missing, in dB.

"dense, as many weights" has one hidden layer on either side, as wide as makes it as large as the
convolutional autoencoder. Weights are chosen by a held-out tenth and not refitted; test images
choose nothing.

    python benchmarks/convolution.py [--data DIR] [--rows 10000] [--epochs 20] [--tasks mnist]

`DIR` holds `mnist.npz`; the other tasks do not need it.
"""

import argparse
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer, ConvolutionalAutoencoder

SETTINGS = {"refit": False, "cv": None, "random_state": 0}


def digits(arguments):
    return train_test_split(load_digits().data / 16, test_size=0.25, random_state=0)


def mnist(arguments):
    rng = np.random.default_rng(0)
    with np.load(arguments.data / "mnist.npz") as archive:
        return [
            (rng.permutation(archive[name].reshape(-1, 784))[:n] / 255).astype(np.float32)
            for name, n in (("X_train", arguments.rows), ("X_test", 2000))
        ]


def explained(model, X_train, X_test):
    error = np.square(model.reconstruction_error(X_test)).sum() * X_test.shape[1]
    return 1 - error / np.square(X_test - X_train.mean(axis=0)).sum()


def psnr(estimate, X):
    return -10 * np.log10(np.mean((estimate - X) ** 2))


def denoised(model, X_train, X_test):
    noisy = X_test + 0.5 * np.random.default_rng(0).standard_normal(X_test.shape)
    return psnr(model.inverse_transform(model.transform(noisy)), X_test)


def inpainted(model, X_train, X_test):
    rng, hole = np.random.default_rng(0), np.zeros((len(X_test), 8, 8), dtype=bool)
    for square, (y, x) in zip(hole, rng.integers(0, 5, size=(len(X_test), 2)), strict=True):
        square[y : y + 4, x : x + 4] = True
    hole = hole.reshape(X_test.shape)
    seen = np.where(hole, X_train.mean(axis=0), X_test)
    return psnr(model.inverse_transform(model.transform(seen))[hole], X_test[hole])


NOISE = {"corruption": "gaussian", "corruption_level": 0.5}
BLOCK = {"corruption": "block", "corruption_level": 0.25, "image_shape": (8, 8)}
TASKS = {
    "digits": (digits, (8, 8), 8, {}, "R2", explained),
    "mnist": (mnist, (28, 28), 16, {}, "R2", explained),
    "denoising": (digits, (8, 8), 32, NOISE, "PSNR", denoised),
    "inpainting": (digits, (8, 8), 32, BLOCK, "PSNR", inpainted),
}


def n_weights(model):
    return sum(p.numel() for p in model.module_.autoencoder.parameters())


def width_for(total, n_features, n_components):
    """Of a hidden layer on either side that makes a dense autoencoder of about so many weights."""
    paths = 2 * n_features * n_components + n_features + n_components
    return max(1, round((total - paths) / (2 * (n_features + n_components) + 2)))


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=10_000, help="of mnist, to learn from")
    parser.add_argument("--epochs", type=int, default=20, help="on mnist; elsewhere it is 'auto'")
    parser.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    arguments = parser.parse_args()
    if arguments.data is None and "mnist" in arguments.tasks:
        parser.error("the task mnist needs --data, the folder of mnist.npz")
    print("| task | model | weights | score | fit (CPU s) |\n|---|---|---|---|---|")
    for task in arguments.tasks:
        load, shape, k, noise, unit, score = TASKS[task]
        X_train, X_test = load(arguments)
        settings = SETTINGS | noise
        if task == "mnist":
            settings["max_iter"] = arguments.epochs
        image = settings | {"image_shape": shape}
        conv = ConvolutionalAutoencoder(k, **image)
        pooled = {"downsampling": "pool", "upsampling": "nearest"}
        models = {
            "linear start": AutoencoderTransformer(k, **settings | {"max_iter": 0}),
            "convolutional": conv,
            "convolutional, pool and nearest": ConvolutionalAutoencoder(k, **image, **pooled),
            "dense, as many weights": None,
            "dense, default": AutoencoderTransformer(k, **settings),
        }
        if task == "mnist":  # minutes more, for a question that digits answer
            models.pop("convolutional, pool and nearest")
        for name, model in models.items():
            if model is None:
                width = width_for(n_weights(conv), X_train.shape[1], k)
                model = AutoencoderTransformer(k, hidden_layer_sizes=(width,), **settings)
            start = time.process_time()
            model.fit(X_train)
            seconds = time.process_time() - start
            found = score(model, X_train, X_test)
            size = "-" if name == "linear start" else f"{n_weights(model):,}"
            print(f"| {task} | {name} | {size} | {unit} {found:.4g} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
