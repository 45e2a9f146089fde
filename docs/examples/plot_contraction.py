"""
===================================
Which direction moves a digit most?
===================================

A contractive autoencoder is charged for the slopes of its encoder. It keeps those that it needs to
tell digits apart, and gives up the others. The slopes at a row are a matrix, and its singular
values say how many directions move the code, and how far.
"""

# %%
# The same encoder with three charges; without one it is the plain autoencoder with tied weights.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from skae import ContractiveAutoencoder

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.25, random_state=0)
settings = {"hidden_layer_sizes": (64,), "max_iter": 40, "refit": False, "random_state": 0}
charges = (0.0, 0.1, 0.5)
models = {
    charge: ContractiveAutoencoder(8, contraction_weight=charge, **settings).fit(X_train)
    for charge in charges
}

# %%
# Left, the singular values at a hundred digits that were not learnt from, by differences. Right,
# who wrote which digit, by the five nearest neighbours in code space, under noise.
STEP = 1e-3
some, unit = X_test[:100], np.sqrt(X_train.var(axis=0).mean())
noise = np.random.default_rng(0).normal(size=X_test.shape)
levels = np.linspace(0, 2, 6)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for charge, model in models.items():
    moved = [(model.transform(some + STEP * e) - model.transform(some)) / STEP for e in np.eye(64)]
    sizes = np.linalg.svd(np.stack(moved, axis=2), compute_uv=False)
    left.plot(np.arange(1, 9), np.sqrt(np.square(sizes).mean(axis=0)), "o-", label=f"{charge:g}")
    neighbours = KNeighborsClassifier().fit(model.transform(X_train), y_train)
    accuracy = [
        neighbours.score(model.transform(X_test + level * unit * noise), y_test) for level in levels
    ]
    right.plot(levels, accuracy, "o-", label=f"{charge:g}")
    print(f"charge {charge:g}: squared norm {np.square(sizes).sum(axis=1).mean():.1f}")
left.set(xlabel="Direction", ylabel="Singular value", ylim=(0, None))
right.set(xlabel="Noise, in root mean squares of the data", ylabel="Accuracy")
left.legend(title="contraction_weight")
plt.show()
