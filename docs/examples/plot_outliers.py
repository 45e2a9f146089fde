"""
=============================================
Which rows do not belong, and how sure is it?
=============================================

Points along a bent line, and later some that do not lie on it. PCA knows straight lines, an
isolation forest boxes. An autoencoder with one component follows the bend. All three are allowed
the same share of false alarms, and held-out rows see to it that they keep to it.
"""

# %%
# 1,500 normal points to learn from, 2,000 more to count false alarms by, and 2,000 points from
# anywhere.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest

from skae import AutoencoderTransformer
from skae.outliers import AutoencoderOutlierDetector

rng = np.random.default_rng(0)


def normal_points(n):
    """Along a parabola, with a little noise."""
    t = rng.uniform(-1.5, 1.5, n)
    return np.column_stack([t, t**2 - 1]) + 0.1 * rng.normal(size=(n, 2))


X, X_new = normal_points(1500), normal_points(2000)
X_anywhere = rng.uniform([-2, -1.6], [2, 1.9], size=(2000, 2))

# %%
# ``false_alarm_rate`` holds a fifth of the rows out. ``refit=False`` and 60 epochs save time.
models = {
    "PCA": PCA(1),
    "IsolationForest": IsolationForest(),
    "AutoencoderTransformer": AutoencoderTransformer(1, max_iter=60, refit=False),
}
detectors = {
    name: AutoencoderOutlierDetector(model, false_alarm_rate=0.05, random_state=0).fit(X)
    for name, model in models.items()
}
print(f"{'':>22}   false alarms   found anywhere")
for name, detector in detectors.items():
    alarms, found = ((detector.predict(rows) == -1).mean() for rows in (X_new, X_anywhere))
    print(f"{name:>22}{alarms:>15.1%}{found:>17.1%}")

# %%
# Colours are p-values: the share of normal points that are as unusual. White is 5 % and less, what
# `predict` calls an outlier.
x, y = np.meshgrid(np.linspace(-2, 2, 200), np.linspace(-1.6, 1.9, 200))
figure, axes = plt.subplots(1, 3, figsize=(11, 3.6), sharex=True, sharey=True, layout="constrained")
for ax, (name, detector) in zip(axes, detectors.items(), strict=True):
    p = detector.predict_pvalue(np.column_stack([x.ravel(), y.ravel()])).reshape(x.shape)
    levels = ax.contourf(x, y, p, levels=[0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1], cmap="Blues")
    ax.contour(x, y, p, levels=[0.05], colors="tab:red")
    ax.scatter(*X_new[:200].T, s=4, color="black")
    found = (detector.predict(X_anywhere) == -1).mean()
    ax.set(title=f"{name}\n{found:.0%} of points anywhere found", aspect="equal")
figure.colorbar(levels, ax=axes, label="p-value")
plt.show()
