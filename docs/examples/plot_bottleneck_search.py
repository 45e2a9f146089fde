"""
==========================
How many numbers in a code
==========================

Rows on a curved surface of three dimensions, in twelve columns. PCA needs more than three
components to follow the bends, an autoencoder does not; a search over the width of the code shows
both curves, and takes the narrowest code within one standard error of the best.
"""

# %%
# The rows, and the search: six widths on four folds, all trained at once.
import matplotlib.pyplot as plt
import numpy as np

from skae import AutoencoderTransformer
from skae.model_selection import BottleneckSearchCV

rng = np.random.default_rng(0)
Z = rng.normal(size=(400, 3))
X = np.tanh(Z @ rng.normal(size=(3, 12))) + 0.1 * rng.normal(size=(400, 12))

widths = (1, 2, 3, 4, 6, 8)
model = AutoencoderTransformer(max_iter=20, cv=None, random_state=0)
search = BottleneckSearchCV(model, widths, cv=4, rule="one_se", refit=False).fit(X)

# %%
# The table: mean log-density of held-out rows, in nats.
results = search.cv_results_
print(f"{'components':>12}{'PCA':>10}{'autoencoder':>14}")
for width, pca, mean in zip(
    widths, search.pca_scores_.mean(axis=1), results["mean_test_score"], strict=True
):
    print(f"{width:>12}{pca:>10.2f}{mean:>14.2f}")
print(f"\nThe search takes: {search.best_params_}")

# %%
# The picture: both curves, with one standard error on either side.
root = np.sqrt(search.n_splits_ - 1)
curves = {
    "PCA": (search.pca_scores_.mean(axis=1), search.pca_scores_.std(axis=1)),
    "autoencoder": (results["mean_test_score"], results["std_test_score"]),
}
figure, ax = plt.subplots(figsize=(6.5, 4.5), layout="constrained")
for name, (mean, std) in curves.items():
    (line,) = ax.plot(widths, mean, "o-", label=name)
    ax.fill_between(widths, mean - std / root, mean + std / root, color=line.get_color(), alpha=0.2)
ax.axvline(search.best_params_["n_components"], color="grey", ls=":", label="the search's choice")
ax.set(xlabel="n_components", ylabel="log-density of held-out rows, nats", xticks=widths)
ax.legend()
plt.show()
