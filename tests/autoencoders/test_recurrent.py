"""The recurrent estimator: series of different lengths, and scores of steps."""

import numpy as np
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from torch import nn

import skae
from skae import RecurrentAutoencoder


@pytest.fixture(scope="module")
def waves():
    """Two channels that swing together, of 10 steps, from any phase on."""
    rng = np.random.default_rng(0)
    t = rng.uniform(0, 10, size=(120, 1)) + rng.uniform(0.5, 1, size=(120, 1)) * np.arange(10)
    X = np.stack([np.sin(t), np.cos(t)], axis=2).reshape(120, 20)
    return X + 0.05 * rng.standard_normal(X.shape)


@pytest.fixture(scope="module")
def ragged(waves):
    """The same, half of them of six steps."""
    X = waves.copy()
    X[::2, 12:] = np.nan
    return X


def fitted(X, **parameters):
    settings = {"sequence_shape": (10, 2), "early_stopping": False} | parameters
    return tiny(RecurrentAutoencoder, **settings).fit(X)


@pytest.mark.parametrize("recurrence", ["gru", "lstm"])
def test_codes_are_those_of_the_network_on_the_steps_that_are_there(ragged, recurrence):
    """Without a linear path the code of a short series is a function of its steps alone."""
    model = fitted(ragged, init="random", recurrence=recurrence, max_iter=40)
    module, short = model.module_, ragged[::2, :12]
    scale, location = module.scale.numpy(), module.location.numpy()[:12]
    with torch.no_grad():
        steps = torch.from_numpy((short - location) / scale).unflatten(1, (6, 2))
        network = module.autoencoder.encoder.network
        codes = network.head(network.recurrence(steps)[:, -1])
        expected = module.code_map(codes).numpy()
    assert_allclose(model.transform(ragged[::2]), expected, rtol=1e-10)


def test_the_linear_path_takes_what_is_expected_for_what_is_missing(ragged):
    """At the start, where the network is silent, the code is PCA's of the completed row."""
    model = fitted(ragged, max_iter=0)
    filled = model.module_.complete(torch.from_numpy(ragged)).numpy()
    assert_allclose(model.transform(ragged), model.transform(filled), atol=1e-10)
    assert not np.allclose(filled[::2, 12:], np.nanmean(ragged, axis=0)[12:], atol=0.1)


def test_the_network_does_not_see_what_the_path_is_given(ragged):
    """So a completed row, which goes on to the last step, has another code."""
    model = fitted(ragged, max_iter=20)
    filled = model.module_.complete(torch.from_numpy(ragged)).numpy()
    difference = np.abs(model.transform(ragged) - model.transform(filled)).max(axis=1)
    assert (difference[::2] > 1e-3).all() and (difference[1::2] < 1e-10).all()


def test_everything_takes_short_series(ragged, tmp_path):
    model = fitted(ragged, max_iter=5, corruption="gaussian")
    cells = model.reconstruction_error(ragged, per_cell=True).reshape(120, 10, 2)
    assert np.isnan(cells[::2, 6:]).all() and np.isfinite(cells[1::2]).all()
    assert (
        np.isfinite(model.score_samples(ragged)).all() and np.isfinite(model.explain(ragged)).all()
    )
    model.save(tmp_path / "model")
    assert_array_equal(skae.load(tmp_path / "model").transform(ragged), model.transform(ragged))
    parts = tiny(RecurrentAutoencoder, sequence_shape=(10, 2))
    for part in np.array_split(ragged, 3):
        parts.partial_fit(part)
    assert np.isfinite(parts.transform(ragged)).all()


def test_the_start_is_pca_and_training_finds_more(waves):
    start = fitted(waves, max_iter=0)
    assert_allclose(start.transform(waves), PCA(2).fit_transform(waves), atol=1e-10)
    model = fitted(waves, max_iter=60, hidden_layer_sizes=(24,), learning_rate_init=0.02)
    errors = [np.square(m.reconstruction_error(waves)).mean() for m in (model, start)]
    assert errors[0] < 0.8 * errors[1]


def test_a_step_that_is_wrong_has_the_largest_errors(waves):
    model = fitted(waves, n_components=3, max_iter=40)
    X = waves.copy()
    X.reshape(120, 10, 2)[:, 4] += [1.5, -1.5]
    for score in (model.reconstruction_error(X, per_cell=True), model.explain(X)):
        assert np.mean(score.reshape(120, 10, 2).sum(axis=2).argmax(axis=1) == 4) > 0.7


def test_shapes_may_be_arrays(waves):
    model = fitted(waves, sequence_shape=np.array([10, 2]), max_iter=1)
    assert_array_equal(model.transform(waves), fitted(waves, max_iter=1).transform(waves))


def test_modules_of_the_users_stand_in_the_place_of_recurrent_ones(ragged):
    model = fitted(ragged, encoder=nn.Linear(20, 2))
    assert np.isfinite(model.transform(ragged)).all()


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"sequence_shape": (5, 2)}, r"sequence_shape=\(5, 2\) makes 10 cells, but X has 20"),
        ({"sequence_shape": (20,)}, r"sequence_shape=\(20,\) must be two positive integers"),
        ({"sequence_shape": (-10, -2)}, "must be two positive integers"),
        ({"hidden_layer_sizes": ()}, r"hidden_layer_sizes=\(\) must hold at least one width"),
        ({"hidden_layer_sizes": "auto"}, "'hidden_layer_sizes' parameter"),
    ],
)
def test_refuses_what_cannot_be(waves, wrong, message):
    with pytest.raises(ValueError, match=message):
        fitted(waves, **wrong)
