"""
==================
Which autoencoder?
==================

The same digits, the same width of the code, and what each of the family makes of them when they
come as they are, with noise, and with a hole.
"""

# %%
# 1,400 of scikit-learn's digits to learn from, and three to look at.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skae import (
    AutoencoderTransformer,
    ConvolutionalAutoencoder,
    DenoisingAutoencoder,
    MaskedAutoencoder,
    SparseAutoencoder,
    VAETransformer,
)

X = load_digits().data / 16
X_train, digit = X[:1400], X[1403]
rng = np.random.default_rng(0)
noisy = digit + 0.3 * rng.standard_normal(64)
hole = digit.reshape(8, 8).copy()
hole[2:5, 2:5] = np.nan
rows = np.stack([digit, noisy, hole.ravel()])

# %%
# All have eight components; the sparse one has a hundred, of which a row may use eight.
settings = {"max_iter": 30, "refit": False, "random_state": 0}
models = {
    "plain": AutoencoderTransformer(8, **settings),
    "denoising": DenoisingAutoencoder(8, corruption_level=0.3, **settings),
    "masked": MaskedAutoencoder(8, **settings),
    "convolutional": ConvolutionalAutoencoder(8, image_shape=(8, 8), **settings),
    "variational": VAETransformer(8, **settings),
    "sparse": SparseAutoencoder(100, n_nonzero_coefs=8, **settings),
}
restored = {"as it comes": rows}
pca = PCA(8).fit(X_train)
seen = np.where(np.isnan(rows), pca.mean_, rows)  # PCA takes no gaps
restored["PCA"] = pca.inverse_transform(pca.transform(seen))
for name, model in models.items():
    model.fit(X_train)
    restored[name] = model.inverse_transform(model.transform(rows))

# %%
# Noise that no eight numbers can describe is gone with all of them; what else is gone differs.
# Where the hole was, each says what it expects, given the rest.
figure, axes = plt.subplots(
    3, len(restored), figsize=(1.3 * len(restored), 4), layout="constrained"
)
for column, (name, images) in zip(axes.T, restored.items(), strict=True):
    column[0].set_title(name, fontsize=9)
    for ax, image in zip(column, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set_xticks([])
        ax.set_yticks([])
for ax, label in zip(axes[:, 0], ("clean", "noise", "hole"), strict=True):
    ax.set_ylabel(label)
plt.show()
