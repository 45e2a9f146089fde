"""
======================================
Which steps of which series are wrong?
======================================

Series of two channels that belong together, some of them shorter than others. An autoencoder that
goes through them step by step learns how the channels move; where one of them does something else,
its error tells the step.
"""

# %%
# Tones of any phase and frequency, in two channels of 32 steps; a third of the series end early,
# in NaN. In the test series the second channel stands still for five steps.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import roc_auc_score

from skae import AutoencoderTransformer, RecurrentAutoencoder

rng = np.random.default_rng(0)


def tones(n):
    angle = rng.uniform(0, 2 * np.pi, (n, 1)) + rng.uniform(0.3, 0.6, (n, 1)) * np.arange(32)
    X = np.stack([np.sin(angle), np.cos(angle)], axis=2)
    X += 0.05 * rng.standard_normal(X.shape)
    length = np.where(rng.random((n, 1)) < 1 / 3, rng.integers(20, 32, (n, 1)), 32)
    X[np.arange(32) >= length] = np.nan
    return X


train, test = tones(600), tones(200)
wrong = np.zeros((200, 32), dtype=bool)
for series, marks, start in zip(test, wrong, rng.integers(1, 14, 200), strict=True):
    marks[start : start + 5] = True
    series[marks, 1] = series[start, 1]

# %%
# The series themselves are the rows. Errors of cells, put back into the shape of the series, are
# errors of steps; steps beyond the end have none.
models = {
    "PCA": AutoencoderTransformer(4, max_iter=0),
    "dense": AutoencoderTransformer(4, refit=False, cv=None, random_state=0),
    "recurrent": RecurrentAutoencoder(
        4, sequence_shape=(32, 2), refit=False, cv=None, max_iter=60, random_state=0
    ),
}
errors = {}
for name, model in models.items():
    model.fit(train.reshape(600, -1))
    cells = model.reconstruction_error(test.reshape(200, -1), per_cell=True)
    errors[name] = np.sqrt(np.square(cells.reshape(200, 32, 2)).mean(axis=2))
    there = np.isfinite(errors[name])
    print(f"{name:>10}: AUC of steps {roc_auc_score(wrong[there], errors[name][there]):.3f}")

# %%
# The picture: four test series, and the error of their steps. Grey are the steps that are wrong.
figure, axes = plt.subplots(2, 4, figsize=(12, 5), sharex=True, sharey="row", layout="constrained")
for (above, below), series, marks, i in zip(axes.T, test, wrong, range(4), strict=False):
    above.plot(series)
    for name, error in errors.items():
        below.plot(error[i], label=name)
    for ax in (above, below):
        ax.axvspan(marks.argmax() - 0.5, marks.argmax() + 4.5, color="0.9")
axes[0, 0].set_ylabel("channels")
axes[1, 0].set_ylabel("error of the step")
axes[1, 0].legend()
figure.suptitle("A channel that stands still for five steps")
plt.show()
