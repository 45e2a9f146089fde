"""
=====================================
Which digits have never been written?
=====================================

A variational autoencoder is a model of where its rows come from: draw a code from the standard
normal distribution, decode it, and there is a new row. Here the rows are the digits that
scikit-learn ships. Their grey values are read as probabilities of ink.
"""

# %%
# Ten numbers a digit. Digits that were not learnt from tell how good the model is: `score` is a
# lower bound on the log-likelihood of their ink, which is drawn once for the comparison, since the
# likelihood is one of zeros and ones.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import VAETransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.25, random_state=0)
ink = np.random.default_rng(0).binomial(1, X_test).astype(float)

# Half the usual time: the best weights on held-out rows are kept, without a second run on all rows.
settings = {"loss": "binary_cross_entropy", "max_iter": 60, "refit": False, "random_state": 0}
model = VAETransformer(10, **settings).fit(X_train)
pixel = X_train.mean(axis=0).clip(0.001, 0.999)
alone = (ink * np.log(pixel) + (1 - ink) * np.log(1 - pixel)).sum(axis=1).mean()

print("Log-likelihood of new digits, nats a digit")
print(f"    each pixel by itself:      {alone:.1f}")
print(f"    from ten numbers:          {model.score(ink):.1f} or more")
tighter = model.score_samples(ink, n_importance_samples=50).mean()
print(f"    the same, tighter bound:   {tighter:.1f} or more")
print(f"Components in use: {model.active_components_.sum()} of 10")

# %%
# Digits that somebody wrote above, digits that nobody wrote below. Without noise `sample` gives the
# probabilities of ink; with it, zeros and ones.
pictures = {
    "written": X_test[:12],
    "sampled": model.sample(12, noise=False, random_state=0),
    "with noise": model.sample(12, random_state=0),
}
figure, axes = plt.subplots(3, 12, figsize=(10, 2.8), layout="constrained")
for line, (name, images) in zip(axes, pictures.items(), strict=True):
    for ax, image in zip(line, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")

# %%
# With two components the codes are a map. Left, where the model puts digits that it has not seen,
# with the circles that hold half and nine tenths of the prior; right, what it would draw at each
# place.
flat = VAETransformer(2, **settings).fit(X_train)
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
points = left.scatter(*flat.transform(X_test).T, c=y_test, cmap="tab10", s=12)
for share in (0.5, 0.9):  # of a standard normal in two dimensions, within this radius
    left.add_patch(plt.Circle((0, 0), np.sqrt(-2 * np.log(1 - share)), fill=False, color="gray"))
figure.colorbar(points, ax=left, ticks=range(10), label="digit", shrink=0.8)

ticks = np.linspace(-2.2, 2.2, 12)
places = np.stack(np.meshgrid(ticks, ticks[::-1]), axis=-1)  # downwards, as pictures are printed
images = flat.inverse_transform(places.reshape(-1, 2)).reshape(12, 12, 8, 8)
images = np.pad(images, ((0, 0), (0, 0), (1, 1), (1, 1)))
right.imshow(
    images.transpose(0, 2, 1, 3).reshape(120, 120), cmap="gray_r", extent=(-2.4, 2.4, -2.4, 2.4)
)
for ax, title in ((left, "Codes of new digits"), (right, "Decoded codes")):
    ax.set(xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), aspect="equal", title=title)
plt.show()
