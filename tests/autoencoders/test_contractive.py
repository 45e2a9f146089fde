"""The contractive autoencoder, where linear algebra knows the best one."""

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer, ContractiveAutoencoder

LINEAR = {"hidden_layer_sizes": (), "early_stopping": False, "alpha": 0.0, "random_state": 0}


@pytest.fixture
def rows():
    """Four hundred rows, of variances from 9 to 0.01, in six dimensions."""
    rng = np.random.default_rng(0)
    axes = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    return (rng.normal(size=(400, 6)) * [3, 2, 1, 0.5, 0.2, 0.1]) @ axes + 5


def module_rows(model, X):
    return (X - model.module_.location.numpy()) / float(model.module_.scale)


def objective(W, x, weight):
    residual = x - x @ W.T @ W
    return 0.5 * np.square(residual).sum(axis=1).mean() + weight * np.square(W).sum()


def test_starts_at_the_best_linear_contractive_one(rows):
    """Principal components, each shrunk by its own variance; nothing near does better."""
    model = ContractiveAutoencoder(3, max_iter=0, contraction_weight=0.1, **LINEAR).fit(rows)
    x, W = module_rows(model, rows), model.module_.autoencoder.encoder.path.weight.detach().numpy()
    variance = PCA(3).fit(x).explained_variance_ * 399 / 400
    assert_allclose(np.linalg.norm(W, axis=1) ** 2, 1 - 0.1 / variance)
    best, rng = objective(W, x, 0.1), np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.1):
        for _ in range(20):
            assert best < objective(W + size * rng.normal(size=W.shape), x, 0.1)


def test_training_from_random_weights_finds_that_start(rows):
    settings = LINEAR | {"max_iter": 100, "batch_size": 40, "contraction_weight": 0.1}
    start = ContractiveAutoencoder(3, **settings | {"max_iter": 0}).fit(rows)
    found = ContractiveAutoencoder(3, tied_weights=True, init="random", **settings).fit(rows)
    x = module_rows(start, rows)
    W0 = start.module_.autoencoder.encoder.path.weight.detach().numpy()
    W = found.module_.autoencoder.encoder.network.layers[0].weight.detach().numpy()
    assert_allclose(objective(W, x, 0.1), objective(W0, x, 0.1), rtol=1e-3)
    assert_allclose(W.T @ W, W0.T @ W0, atol=0.02)


def test_tied_weights_stand_against_an_encoder_that_shrinks(rows):
    """Without them training halves the slopes and leaves the reconstructions as they are."""
    size, error = {}, {}
    for tied in (True, False):
        settings = LINEAR | {"max_iter": 60, "learning_rate_init": 0.02, "tied_weights": tied}
        model = ContractiveAutoencoder(2, **settings).fit(rows)
        path = model.module_.autoencoder.encoder.path
        size[tied] = float(path.weight.detach().square().sum())
        error[tied] = np.square(model.inverse_transform(model.transform(rows)) - rows).mean()
    assert size[True] > 1.8 and size[False] < 0.5 * size[True]
    assert error[False] < 1.02 * error[True]


def test_the_charge_does_not_depend_on_the_scale_of_the_data(blobs):
    model = tiny(ContractiveAutoencoder, max_iter=5, early_stopping=False).fit(blobs)
    large = tiny(ContractiveAutoencoder, max_iter=5, early_stopping=False).fit(1024 * blobs)
    assert_allclose(large.transform(1024 * blobs), 1024 * model.transform(blobs), rtol=1e-6)
    assert_allclose(large.history_["contraction"], model.history_["contraction"], rtol=1e-6)


@pytest.mark.parametrize("n_probes", [None, 1])
def test_codes_move_less_with_a_heavier_charge(blobs, n_probes):
    settings = {"max_iter": 30, "early_stopping": False, "hidden_layer_sizes": (16,)}
    noise = 1e-4 * np.random.default_rng(0).normal(size=blobs.shape)
    moved = []
    for weight in (0.0, 0.1, 0.5):
        model = tiny(
            ContractiveAutoencoder, contraction_weight=weight, n_probes=n_probes, **settings
        ).fit(blobs)
        moved.append(np.square(model.transform(blobs + noise) - model.transform(blobs)).mean())
    assert moved[0] > moved[1] > moved[2]


def test_ties_what_can_be_tied(blobs):
    from torch import nn

    def n_weights(**settings):
        module = tiny(ContractiveAutoencoder, **settings).fit(blobs).module_.autoencoder
        return sum(w.numel() for w in module.parameters())

    assert n_weights() == n_weights(tied_weights=True) < n_weights(tied_weights=False)
    assert n_weights(decoder_layer_sizes=(8,)) == n_weights(tied_weights=False)
    tiny(ContractiveAutoencoder, encoder=nn.Linear(4, 2)).fit(blobs).transform(blobs)
    with pytest.raises(ValueError, match="tied_weights=True needs a decoder that mirrors"):
        tiny(ContractiveAutoencoder, tied_weights=True, encoder=nn.Linear(4, 2)).fit(blobs)


def test_without_a_charge_it_starts_at_pca(blobs):
    model = tiny(ContractiveAutoencoder, max_iter=0, contraction_weight=0.0).fit(blobs)
    plain = tiny(AutoencoderTransformer, max_iter=0).fit(blobs)
    assert_allclose(model.transform(blobs), plain.transform(blobs), atol=1e-10)


def test_says_so_when_the_charge_silences_everything(blobs):
    with pytest.warns(UserWarning, match="Lower contraction_weight"):
        tiny(ContractiveAutoencoder, 2, contraction_weight=1e4, max_iter=0).fit(blobs)
