"""
==================================
How much of a row tells the rest?
==================================

A masked autoencoder hides cells from itself and learns to predict them. Here it is shown fewer and
fewer pixels of digits that it has not seen.
"""

# %%
# A fit without labels. Each batch hides between a tenth and seven tenths of the pixels.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from skae import MaskedAutoencoder

X_train, X_test = train_test_split(load_digits().data / 16, test_size=0.25, random_state=0)
model = MaskedAutoencoder(32, refit=False, random_state=0).fit(X_train)

# %%
# Hidden pixels are NaN, and `impute` predicts them. The mean of each pixel is what can be said
# without looking.
rng = np.random.default_rng(0)
order = rng.random(X_test.shape)
shown, filled = {}, {}
for share in (0.3, 0.6, 0.9):
    shown[share] = np.where(order < share, np.nan, X_test)
    filled[share] = model.impute(shown[share])
    hidden = np.isnan(shown[share])
    errors = [
        np.sqrt(np.square(guess - X_test)[hidden].mean())
        for guess in (filled[share], np.broadcast_to(X_train.mean(axis=0), X_test.shape))
    ]
    print(f"{share:.0%} hidden: error {errors[0]:.3f}, that of the means {errors[1]:.3f}")

# %%
# Every second line is what the model is shown (gaps in red), the line below what it makes of it.
lines = {"whole": X_test}
for share in shown:
    lines |= {f"{share:.0%} hidden": shown[share], f"{share:.0%}, filled in": filled[share]}
figure, axes = plt.subplots(len(lines), 10, figsize=(9, 6.6), layout="constrained")
colors = plt.get_cmap("gray_r").with_extremes(bad="mistyrose")
for line, (name, images) in zip(axes, lines.items(), strict=True):
    for ax, image in zip(line, images, strict=False):
        ax.imshow(image.reshape(8, 8), cmap=colors, vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])
    line[0].set_ylabel(name, rotation=0, ha="right", va="center")
plt.show()
