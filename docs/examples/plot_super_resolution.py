"""
====================================
What did the larger image look like?
====================================

Super-resolution: an image of few pixels, and the one of four times as many that it may have come
from. The pixels in between are missing cells. What an interpolation puts there is smooth; what an
autoencoder puts there is what digits have there.
"""

# %%
# Of each test digit every other line and column is left: 16 of 64 pixels.
import matplotlib.pyplot as plt
import numpy as np
from scipy.interpolate import RegularGridInterpolator
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import DenoisingAutoencoder

X_train, X_test = train_test_split(load_digits().data / 16, test_size=0.25, random_state=0)
kept = np.zeros((8, 8), dtype=bool)
kept[::2, ::2] = True
X_seen = np.where(kept.ravel(), X_test, np.nan)
small = X_test.reshape(-1, 8, 8)[:, ::2, ::2]

# %%
# Interpolation knows that neighbours are alike. A denoising autoencoder that has learnt to do with
# any quarter of the pixels knows digits. At ``max_iter=0`` it is the best linear map.
place = np.arange(0, 8, 2)
grid = np.stack(np.meshgrid(np.arange(8), np.arange(8), indexing="ij"), axis=-1).clip(0, 6)
linear = [RegularGridInterpolator((place, place), image)(grid).ravel() for image in small]
settings = {"corruption": "masking_mean", "corruption_level": 0.75, "random_state": 0}
start = DenoisingAutoencoder(max_iter=0, **settings).fit(X_train)
model = DenoisingAutoencoder(max_iter=40, refit=False, **settings).fit(X_train)
estimates = {
    "repeated": np.kron(small, np.ones((2, 2))).reshape(-1, 64),
    "interpolated": np.array(linear),
    "best linear map": np.where(kept.ravel(), X_test, start.denoise(X_seen)),
    "DenoisingAutoencoder": np.where(kept.ravel(), X_test, model.denoise(X_seen)),
}


def psnr(X):
    """Peak signal-to-noise ratio of whole images, in dB."""
    return -10 * np.log10(np.mean((X - X_test) ** 2))


for name, estimate in estimates.items():
    print(f"{name:>22}{psnr(estimate):>7.2f} dB")

# %%
# The picture: digits that were not in training.
rows = {"digit": X_test, "small image": small} | {
    f"{name}\n{psnr(estimate):.1f} dB": estimate for name, estimate in estimates.items()
}
figure, axes = plt.subplots(len(rows), 10, figsize=(10, 6.2), layout="constrained")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(line, images[:10], strict=True):
        side = int(image.size**0.5)
        ax.imshow(image.reshape(side, side), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.suptitle("From 16 pixels to 64")
plt.show()
