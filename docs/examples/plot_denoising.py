"""
========================================
How much of the noise can be taken away?
========================================

The digits that scikit-learn ships, 64 pixels each, under so much Gaussian noise that they are hard
to read. PCA cleans them as far as a projection can: it keeps a few directions, with the noise in
them. A denoising autoencoder is trained to undo this very noise.
"""

# %%
# Digits in [0, 1], and noise of standard deviation 0.5, which is not clipped.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import DenoisingAutoencoder

NOISE = 0.5
X_train, X_test = train_test_split(load_digits().data / 16, test_size=0.25, random_state=0)
noise = np.random.default_rng(0).standard_normal(X_test.shape)
X_noisy = X_test + NOISE * noise


def psnr(X):
    """Peak signal-to-noise ratio of estimates of the test digits, in dB; higher is cleaner."""
    return -10 * np.log10(np.mean((X - X_test) ** 2))


# %%
# PCA gets the number of components that cleans these very digits best, which flatters it.
projections = {}
for n_components in (2, 4, 6, 8, 12, 16, 24, 32):
    pca = PCA(n_components, random_state=0).fit(X_train)
    projections[n_components] = pca.inverse_transform(pca.transform(X_noisy))
best = max(projections, key=lambda n_components: psnr(projections[n_components]))

# %%
# The autoencoder is told how strong the noise is. With ``max_iter=0`` it stays where it starts: at
# the best linear denoiser, the Wiener filter. ``refit=False`` halves the time of the fit.
model = DenoisingAutoencoder(
    corruption="gaussian", corruption_level=NOISE, refit=False, random_state=0
)
wiener = DenoisingAutoencoder(
    corruption="gaussian", corruption_level=NOISE, max_iter=0, random_state=0
)
estimates = {
    "noisy": X_noisy,
    f"PCA, {best} components": projections[best],
    "Wiener filter": wiener.fit(X_train).denoise(X_noisy),
    "DenoisingAutoencoder": model.fit(X_train).denoise(X_noisy),
}
for name, estimate in estimates.items():
    print(f"{name:>22}{psnr(estimate):>7.2f} dB")

# %%
# The picture: digits that none of them has seen.
rows = {"clean": X_test} | {
    f"{name}\n{psnr(estimate):.1f} dB": estimate for name, estimate in estimates.items()
}
figure, axes = plt.subplots(len(rows), 10, figsize=(10, 5.2), layout="constrained")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(line, images[:10], strict=True):
        ax.imshow(np.clip(image, 0, 1).reshape(8, 8), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.suptitle(f"Digits not seen in training, under Gaussian noise of {NOISE}")
plt.show()
