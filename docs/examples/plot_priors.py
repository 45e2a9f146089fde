"""
=====================================
What do codes look like all together?
=====================================

An autoencoder puts codes where it likes. One with a prior is asked to spread them like draws from a
distribution that is known, so that any draw can be decoded to a new row.
"""

# %%
# Two components, three priors, and the digits that scikit-learn ships.
import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import AdversarialAutoencoder, WassersteinAutoencoder

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.4, random_state=0)
settings = {"hidden_layer_sizes": (64,), "max_iter": 30, "refit": False, "random_state": 0}
models = {
    "PCA, unit variance": WassersteinAutoencoder(2, **settings | {"max_iter": 0}),
    "kernels, gaussian": WassersteinAutoencoder(2, **settings),
    "adversary, gaussian": AdversarialAutoencoder(2, **settings),
    "kernels, uniform": WassersteinAutoencoder(2, prior="uniform", **settings),
    "kernels, mixture": WassersteinAutoencoder(2, prior="mixture", **settings),
}

# %%
# Above, codes of digits that were not learnt from; below, decoded draws of the prior.
figure, axes = plt.subplots(2, 5, figsize=(13, 5.4), layout="constrained")
for (above, below), (name, model) in zip(axes.T, models.items(), strict=True):
    Z = model.fit(X_train).transform(X_test)
    above.scatter(*Z.T, c=y_test, cmap="tab10", s=5)
    above.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", title=name)
    digits = model.sample(25, random_state=0).reshape(5, 5, 8, 8)
    below.imshow(digits.transpose(0, 2, 1, 3).reshape(40, 40), cmap="gray_r", vmin=0, vmax=16)
    below.set(xticks=[], yticks=[])
plt.show()
