"""
===================================================
How much more than PCA can a code of k numbers say?
===================================================

The digits that scikit-learn ships, 64 pixels each, through a pipeline in which an autoencoder
stands in PCA's place. A grid search tries both at every width of the code, and scores them by what
the codes say about rows that were not seen: the share of their variance that comes back.
"""

# %%
# The search: one pipeline, two candidates for its last step, three widths each. It keeps none
# of the pipelines that it fits, so the scorer does, for the picture.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler

from skae import AutoencoderTransformer

X, y = load_digits(return_X_y=True)
train, test = next(ShuffleSplit(1, test_size=0.25, random_state=0).split(X))
widths, fitted = [2, 8, 32], {}


def explained(pipeline, X, y=None):
    """Share of the variance of new rows that comes back from their codes."""
    reducer = pipeline["reduce"]
    fitted[type(reducer), reducer.n_components] = pipeline
    reconstructed = pipeline.inverse_transform(pipeline.transform(X))
    return r2_score(X, reconstructed, multioutput="variance_weighted")


pipeline = Pipeline([("scale", MinMaxScaler()), ("reduce", PCA())])
reducers = [PCA(random_state=0), AutoencoderTransformer(random_state=0)]
search = GridSearchCV(
    pipeline,
    {"reduce": reducers, "reduce__n_components": widths},
    scoring=explained,
    cv=[(train, test)],
    refit=False,
).fit(X)

# %%
# The table: held-out R2 at each width.
scores = search.cv_results_["mean_test_score"].reshape(len(reducers), len(widths))
print("Share of held-out variance explained (digits, 64 pixels)")
print(f"{'components':>12}{'PCA':>10}{'autoencoder':>14}{'gain':>8}")
for width, pca, autoencoder in zip(widths, *scores, strict=True):
    print(f"{width:>12}{pca:>10.3f}{autoencoder:>14.3f}{autoencoder - pca:>+8.3f}")
print(f"\nThe search takes: {search.best_params_}")

# %%
# The picture: both embeddings in two dimensions, and digits that neither has seen, from eight
# numbers.
figure = plt.figure(figsize=(10, 7.5), layout="constrained")
above, below = figure.subfigures(2, 1, height_ratios=[3, 2])

for ax, reducer in zip(above.subplots(1, 2), reducers, strict=True):
    pipeline = fitted[type(reducer), 2]
    Z = pipeline.transform(X[test])
    points = ax.scatter(*Z.T, c=y[test], cmap="tab10", s=12)
    share = explained(pipeline, X[test])
    ax.set_title(f"{type(reducer).__name__}: R2 {share:.2f} from 2 numbers")
above.colorbar(points, ax=above.axes, ticks=range(10), label="digit")

shown = test[:10]
rows = {"digit": X[shown]}
for reducer in reducers:
    pipeline = fitted[type(reducer), 8]
    rows[type(reducer).__name__] = pipeline.inverse_transform(pipeline.transform(X[shown]))
axes = below.subplots(3, 10)
for line, (name, images) in zip(axes, rows.items(), strict=True):
    for ax, image in zip(line, images, strict=True):
        ax.imshow(np.clip(image, 0, 16).reshape(8, 8), cmap="gray_r")
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name.removesuffix("Transformer"), rotation=0, ha="right", va="center")
below.suptitle("Digits not seen in training, from 8 numbers each")

if __name__ == "__main__":
    figure.savefig("demo.png", dpi=120)
plt.show()
