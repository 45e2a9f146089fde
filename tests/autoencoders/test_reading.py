"""What is read off a trained module."""

import numpy as np
from conftest import tiny
from numpy.testing import assert_allclose

from skae import AutoencoderTransformer
from skae.autoencoders import _reading
from skae.autoencoders._canonical import canonical_basis
from skae.autoencoders._reading import Reading
from skae.training import to_tensor


def reading():
    """Of a module whose decoder is not linear."""
    X = np.random.default_rng(0).normal(size=(60, 5))
    model = tiny(AutoencoderTransformer, activation="tanh", init="random", early_stopping=False)
    module = model.fit(X).module_.autoencoder

    def axes_of(*arguments, **settings):
        return canonical_basis(*arguments, whiten=False, **settings)

    return Reading(module=module, X=X, n_components=2, axes_of=axes_of, unit=1.0, seed=0)


def test_the_metric_is_what_the_decoder_pulls_back_on_average(monkeypatch):
    one, directions = reading(), np.array([[1.0, 0.5], [0.0, 2.0], [1.0, 1.0]])
    step = 1e-6 * directions

    def decode(Z):
        return one.module.decode(to_tensor(Z)).detach().numpy()

    J = np.stack([(decode(one.Z + s) - decode(one.Z - s)) / 2e-6 for s in step], axis=1)
    for most in (_reading.MAX_SLOPES, 100, 1):
        monkeypatch.setattr(_reading, "MAX_SLOPES", most)
        metric, slopes = one._pulled_back(one.Z, directions)
        assert_allclose(metric, np.mean(J @ J.transpose(0, 2, 1), axis=0), rtol=1e-6)
        assert_allclose(slopes, J.mean(axis=0), rtol=1e-6, atol=1e-9)


def test_components_do_not_depend_on_how_many_slopes_are_held(monkeypatch):
    whole = reading().axes
    monkeypatch.setattr(_reading, "MAX_SLOPES", 1)
    parts = reading().axes
    assert_allclose(parts.variance, whole.variance)
    assert_allclose(parts.matrix, whole.matrix)
