"""Data and fast settings that all tests share."""

import os
from functools import cache

# scikit-learn skips its array API checks without it; scipy reads it when it is first imported
os.environ.setdefault("SCIPY_ARRAY_API", "1")

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

import skae
from skae.autoencoders import BaseAutoencoder

torch.set_num_threads(1)  # small networks are faster on one


@pytest.fixture(autouse=True)
def same_modules():
    """Modules that a test makes, as a user does, draw their weights from the global generator."""
    with torch.random.fork_rng():
        torch.default_generator.manual_seed(0)
        yield


def tiny(Estimator, n_components=2, **parameters):
    """An estimator that fits in a few milliseconds, and still trains."""
    fast = {"max_iter": 3, "hidden_layer_sizes": (8,), "cv": None, "random_state": 0}
    return Estimator(n_components, **fast | parameters)


def public_estimators():
    """Every estimator that skae exports."""
    public = [getattr(skae, name) for name in skae.__all__]
    return [cls for cls in public if isinstance(cls, type) and issubclass(cls, BaseAutoencoder)]


def bent_sheet():
    """Sixty rows on a bent sheet in four dimensions."""
    rng = np.random.default_rng(0)
    t = rng.uniform(-2, 2, size=(60, 2))
    X = np.column_stack([t, t[:, 0] ** 2, t[:, 0] * t[:, 1]])
    return X + 0.05 * rng.normal(size=X.shape)


@pytest.fixture
def blobs():
    """The bent sheet, for a test to do with as it likes."""
    return bent_sheet()


@cache
def fitted(Estimator):
    """A tiny fit to the bent sheet, which tests share: to be read or copied, and never changed."""
    return tiny(Estimator).fit(bent_sheet())


@pytest.fixture(scope="session")
def digits():
    """The 1,797 digits, pixels in [0, 1]."""
    return load_digits().data / 16.0
