"""
===================================
What are rows without labels worth?
===================================

A ladder learns from all rows what belongs together, and from a few labels what it is called. Here a
classifier sees the labels alone, and a ladder the other digits as well.
"""

# %%
# Digits of which a few have a label; -1 is unknown.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

from skae import LadderAutoencoder

X, y = load_digits(return_X_y=True)
X_train, y_train, X_test, y_test = X[:1300], y[:1300], X[1300:], y[1300:]
settings = {"hidden_layer_sizes": (64, 64), "max_iter": 30, "early_stopping": False}

# %%
# As many labels of each class.
counts, accuracy = [20, 50, 100], {"logistic regression": [], "ladder": []}
for n_labels in counts:
    known = np.full(len(y_train), -1)
    for c in range(10):
        rows = np.flatnonzero(y_train == c)[: n_labels // 10]
        known[rows] = c
    model = LogisticRegression(max_iter=1000).fit(X_train[known != -1], known[known != -1])
    accuracy["logistic regression"].append(model.score(X_test, y_test))
    ladder = LadderAutoencoder(16, classification_weight=0.3, random_state=0, **settings)
    accuracy["ladder"].append(ladder.fit(X_train, known).score(X_test, y_test))
    print(n_labels, {name: round(scores[-1], 3) for name, scores in accuracy.items()})

# %%
# The fewer the labels, the more the other rows are worth.
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, scores in accuracy.items():
    ax.plot(counts, scores, "o-", label=name)
ax.set(xscale="log", xticks=counts, xticklabels=counts, xlabel="labels", ylabel="accuracy")
ax.legend()
plt.show()
