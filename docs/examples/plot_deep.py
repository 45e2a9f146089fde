"""
==============================
What can train a deep network?
==============================

Six hidden layers of logistic units in the encoder, and six in the decoder, from random weights:
the kind of network that could not be trained before 2006. Three ways to try, with as many epochs.
"""

# %%
# The digits in [0, 1], eight components. Held-out scores are those of a tenth of the rows.
import warnings

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer, StackedAutoencoder

X = load_digits().data / 16
settings = {
    "n_components": 8,
    "hidden_layer_sizes": (100,) * 6,
    "activation": "logistic",
    "init": "random",
    "batch_size": 64,
    "max_iter": 32,
    "refit": False,
    "random_state": 0,
}
models = {
    "all layers at once": AutoencoderTransformer(**settings),
    "layer by layer": StackedAutoencoder(**settings),
    "at once, with shortcuts": AutoencoderTransformer(residual=True, **settings),
}
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # that the first one collapses is the point
    for model in models.values():
        model.fit(X)

# %%
# At once, no gradient reaches the first layers, and the network says the same of every digit. Layer
# by layer, the curve stays low for six phases, in which no layer is tuned to another, and rises in
# the seventh, the code's, and in the last, the whole's. With shortcuts the network is shallow at
# first, and deepens as it learns.
figure, ax = plt.subplots(layout="constrained")
for name, model in models.items():
    scores = model.validation_scores_
    print(f"{name:>24}{max(scores):>7.3f}")
    ax.plot([max(score, -1) for score in scores], label=name)
pca = PCA(8, random_state=0).fit(X).explained_variance_ratio_.sum()
ax.axhline(pca, color="gray", linestyle="dotted", label="PCA, on all rows")
ax.set(xlabel="epochs", ylabel="share of held-out variance explained", ylim=(-0.4, 1))
ax.set_title("Twelve hidden layers of logistic units")
ax.legend(loc="lower right")
plt.show()
