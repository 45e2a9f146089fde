"""
======================================================
What does it help to know which pixels are neighbours?
======================================================

The digits that scikit-learn ships, each put at a random place of a larger frame. To a dense network
the same digit at another place is another pattern altogether; a convolutional one finds its strokes
with the same few weights wherever they are.
"""

# %%
# Digits of 8 by 8 pixels in frames of 13 by 12: any size will do.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import AutoencoderTransformer, ConvolutionalAutoencoder

rng = np.random.default_rng(0)
digits = load_digits().images / 16
frames = np.zeros((len(digits), 13, 12))
for frame, digit, y, x in zip(
    frames, digits, rng.integers(0, 6, len(digits)), rng.integers(0, 5, len(digits)), strict=True
):
    frame[y : y + 8, x : x + 8] = digit
X_train, X_test = train_test_split(frames.reshape(len(frames), -1), random_state=0)

# %%
# Three codes of 16 numbers. The dense network has one hidden layer, as wide as makes it as large as
# the convolutional one. ``max_iter=0`` is PCA.
settings = {"max_iter": 20, "refit": False, "random_state": 0}
models = {
    "PCA": AutoencoderTransformer(16, max_iter=0),
    "dense": AutoencoderTransformer(16, hidden_layer_sizes=(52,), **settings),
    "convolutional": ConvolutionalAutoencoder(16, image_shape=(13, 12), **settings),
}
rows = {"image": X_test}
spread = np.square(X_test - X_train.mean(axis=0)).sum()
for name, model in models.items():
    rows[name] = model.fit(X_train).inverse_transform(model.transform(X_test))
    share = 1 - np.square(rows[name] - X_test).sum() / spread
    print(f"{name:>14}: {share:.3f} of the variance", end="")
    size = sum(p.numel() for p in model.module_.autoencoder.parameters())
    print(f", {size:,} weights" if model.max_iter else "")

# %%
# The picture: images that none of them has seen, from 16 numbers each.
figure, axes = plt.subplots(len(rows), 10, figsize=(10, 4.6), layout="constrained")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(line, images[:10], strict=True):
        ax.imshow(np.clip(image, 0, 1).reshape(13, 12), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.suptitle("Digits at random places, not seen in training, from 16 numbers")
plt.show()
