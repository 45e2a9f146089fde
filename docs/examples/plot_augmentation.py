"""
===========================================
Do rows that never were teach a classifier?
===========================================

Data augmentation: few digits have labels, and new ones are made of them, halfway between two of
the same class. Halfway in pixels both show through. Halfway between their *codes* the decoder draws
what it has learnt from many digits, for which it needs no labels. Does that teach a classifier
more?
"""

# %%
# 1,347 digits to learn codes from, of which 5 a class have labels.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16, y, test_size=0.25, random_state=0)
model = AutoencoderTransformer(16, max_iter=30, refit=False, random_state=0).fit(X_train)


def between(X, y, rng, n_new=50):
    """Rows on the way from a row to another of its class, `n_new` a class, and their classes."""
    rows = []
    for label in range(10):
        pairs = rng.choice(np.flatnonzero(y == label), size=(n_new, 2))
        share = rng.uniform(size=(n_new, 1))
        rows.append(share * X[pairs[:, 0]] + (1 - share) * X[pairs[:, 1]])
    return np.vstack(rows), np.repeat(np.arange(10), n_new)


# %%
# Ten draws of the labelled digits; the classifiers learn from them alone, and from them and 50 new
# ones a class, mixed as pixels or as codes.
classifiers = {"1-NN": KNeighborsClassifier(1), "SVC": SVC()}
scores = {(c, kind): [] for c in classifiers for kind in ("none", "pixels", "codes")}
for seed in range(10):
    rng = np.random.default_rng(seed)
    some = np.concatenate([rng.permutation(np.flatnonzero(y_train == k))[:5] for k in range(10)])
    given, labels = X_train[some], y_train[some]
    pixels, new_labels = between(given, labels, rng)
    codes, _ = between(model.transform(given), labels, np.random.default_rng(seed + 1000))
    more = {"none": pixels[:0], "pixels": pixels, "codes": model.inverse_transform(codes)}
    for kind, rows in more.items():
        for name, classifier in classifiers.items():
            classifier.fit(np.vstack([given, rows]), np.append(labels, new_labels[: len(rows)]))
            scores[name, kind].append(classifier.score(X_test, y_test))
for (name, kind), found in scores.items():
    mean, std = np.mean(found), np.std(found)
    print(f"{name:>5}, new rows from {kind:>6}: accuracy {mean:.3f} +- {std:.3f}")

# %%
# New rows help either classifier by a point or two, as much as it differs between draws. Those from
# codes teach no more than those from pixels: digits of a class are so much alike that pixels can
# be mixed, which costs nothing.

# %%
# The picture: halfway between two digits of a class, in pixels and in codes.
rng = np.random.default_rng(0)
pairs = np.array([rng.choice(np.flatnonzero(y_train == k), 2, replace=False) for k in range(10)])
first, second = X_train[pairs[:, 0]], X_train[pairs[:, 1]]
middle = (model.transform(first) + model.transform(second)) / 2
rows = {
    "a digit": first,
    "another": second,
    "halfway: pixels": (first + second) / 2,
    "halfway: codes": model.inverse_transform(middle),
}
figure, axes = plt.subplots(4, 10, figsize=(10, 4.4), layout="constrained")
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(line, images, strict=True):
        ax.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
figure.suptitle("Between two digits of the same class")
plt.show()
