"""
===============================================
What do images look like in five words of many?
===============================================

Patches of a photograph, 64 pixels each. PCA writes each patch with the same few waves. A sparse
autoencoder learns a dictionary of twice as many atoms as there are pixels, and picks those five
that suit the patch at hand.
"""

# %%
# Patches of the photograph of a Chinese temple that scikit-learn ships, in grey, each less its
# mean. The right third of the picture is kept for testing.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.decomposition import PCA
from sklearn.feature_extraction.image import extract_patches_2d

from skae import SparseAutoencoder

SIDE, N_ACTIVE, N_ATOMS = 8, 5, 128
image = load_sample_image("china.jpg").mean(axis=2) / 255
border = image.shape[1] * 2 // 3


def patches(image, n_patches):
    """Random square patches as rows, less their means."""
    X = extract_patches_2d(image, (SIDE, SIDE), max_patches=n_patches, random_state=0)
    X = X.reshape(n_patches, -1)
    return X - X.mean(axis=1, keepdims=True)


X_train, X_test = patches(image[:, :border], 3_000), patches(image[:, border:], 2_000)

# %%
# Both may use five numbers a patch. PCA spends them on its first five components, whatever the
# patch.
pca = PCA(N_ACTIVE).fit(X_train)
model = SparseAutoencoder(
    N_ATOMS,
    n_nonzero_coefs=N_ACTIVE,
    max_iter=40,
    refit=False,  # half the time, at the price of a tenth of the rows
    random_state=0,
).fit(X_train)
Z = model.transform(X_test)
restored = {
    "PCA": pca.inverse_transform(pca.transform(X_test)),
    "SparseAutoencoder": model.inverse_transform(Z),
}
print(f"Share of the variance of new patches that {N_ACTIVE} numbers bring back")
for name, X_hat in restored.items():
    share = 1 - np.square(X_test - X_hat).sum() / np.square(X_test - X_train.mean(axis=0)).sum()
    print(f"{name:>20}{share:>7.3f}")
print(f"Atoms that a patch uses: {(Z != 0).sum(axis=1).mean():.1f} of {N_ATOMS}")
print(f"Atoms that no patch uses: {model.dead_components_.sum()}")

# %%
# The pictures: PCA's axes are waves that reach over the whole patch, finer and finer. Atoms are
# edges and bars, each in a place and a direction of its own. They are sorted by the variance that
# they drive.
figure = plt.figure(figsize=(10, 8), layout="constrained")
left, right = figure.subfigures(1, 2)
pictures = {
    "PCA: all 64 axes": (left, PCA().fit(X_train).components_),
    "SparseAutoencoder: 64 of its 128 atoms": (right, model.components_),
}
for title, (part, atoms) in pictures.items():
    part.suptitle(title)
    for ax, atom in zip(part.subplots(8, 8).flat, atoms, strict=False):
        largest = np.abs(atom).max()
        ax.imshow(atom.reshape(SIDE, SIDE), cmap="gray", vmin=-largest, vmax=largest)
        ax.set_axis_off()
plt.show()

# %%
# One patch in its five atoms, the one with most use for all of them: each is shown with the weight
# that it has, and their sum is the patch brought back.
row = np.argmax(np.sort(np.abs(Z), axis=1)[:, -N_ACTIVE])
chosen = sorted(np.flatnonzero(Z[row]), key=lambda j: -abs(Z[row, j]))
parts = [Z[row, j] * model.components_[j] for j in chosen]
offset = model.inverse_transform(np.zeros((1, N_ATOMS)))[0]  # what an empty code stands for
titles = ["patch", *(f"atom {j}" for j in chosen), "their sum"]
shown = [X_test[row], *parts, offset + sum(parts)]
largest = np.abs(shown).max()
figure, axes = plt.subplots(1, len(shown), figsize=(10, 1.8), layout="constrained")
for ax, title, picture in zip(axes, titles, shown, strict=True):
    ax.imshow(picture.reshape(SIDE, SIDE), cmap="gray", vmin=-largest, vmax=largest)
    ax.set(xticks=[], yticks=[])
    ax.set_title(title, fontsize="medium")
plt.show()
