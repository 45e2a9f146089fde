"""
=============================
What stood where the hole is?
=============================

Inpainting: part of an image is missing, and is to be guessed from the rest. To skae a missing pixel
is NaN, and every autoencoder takes it. Here are digits of which a square of 16 pixels is missing.
"""

# %%
# Digits in [0, 1]; each test digit loses a square of four by four pixels.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import DenoisingAutoencoder
from skae.impute import AutoencoderImputer

X_train, X_test = train_test_split(load_digits().data / 16, test_size=0.25, random_state=0)
rng = np.random.default_rng(0)
hole = np.zeros((len(X_test), 8, 8), dtype=bool)
for square, y, x in zip(
    hole, rng.integers(1, 4, len(hole)), rng.integers(1, 4, len(hole)), strict=True
):
    square[y : y + 4, x : x + 4] = True
hole = hole.reshape(X_test.shape)
X_seen = np.where(hole, np.nan, X_test)

# %%
# Three guesses: the mean of each pixel; what a Gaussian says given the pixels that are there, which
# is where ``AutoencoderImputer`` starts and, with ``max_iter=0``, stays; and a denoising
# autoencoder, which learns from "block" noise: squares are hidden in training as they are in use.
# Pixels that are there are kept.
gaussian = AutoencoderImputer(max_iter=0, random_state=0)
denoiser = DenoisingAutoencoder(
    corruption="block", corruption_level=0.25, image_shape=(8, 8), max_iter=40, refit=False,
    random_state=0,
)  # fmt: skip
estimates = {"mean": np.where(hole, X_train.mean(axis=0), X_test)}
estimates["Gaussian"] = gaussian.fit(X_train).transform(X_seen)
denoised = denoiser.fit(X_train).denoise(X_seen)
estimates["DenoisingAutoencoder"] = np.where(hole, denoised, X_test)


def psnr(X):
    """Peak signal-to-noise ratio of the pixels that are missing, in dB."""
    return -10 * np.log10(np.mean((X - X_test)[hole] ** 2))


for name, estimate in estimates.items():
    print(f"{name:>22}{psnr(estimate):>7.2f} dB")

# %%
# The picture: digits that none of them has seen.
rows = {"digit": X_test, "seen": X_seen} | {
    f"{name}\n{psnr(estimate):.1f} dB": estimate for name, estimate in estimates.items()
}
figure, axes = plt.subplots(len(rows), 10, figsize=(10, 5.2), layout="constrained")
colours = plt.get_cmap("gray_r").with_extremes(bad="tab:orange")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(line, images[:10], strict=True):
        ax.imshow(np.clip(image, 0, 1).reshape(8, 8), cmap=colours, vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.suptitle("Squares of 16 pixels, guessed from the 48 around them")
plt.show()
