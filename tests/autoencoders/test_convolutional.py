"""The convolutional estimator: its shapes, and what it learns."""

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer, ConvolutionalAutoencoder


@pytest.fixture(scope="module")
def shapes():
    """Discs and their like at random places: what is the same everywhere is told by the place."""
    rng = np.random.default_rng(0)
    grid = np.stack(np.meshgrid(np.arange(12), np.arange(11), indexing="ij"), axis=-1)
    centre = rng.uniform(2, 9, size=(400, 1, 1, 2))
    distance = np.square(grid - centre).sum(axis=-1)
    return np.exp(-0.5 * distance / 1.5**2).reshape(400, -1)


def test_knowing_neighbours_helps_with_fewer_weights(shapes):
    settings = {"max_iter": 60, "cv": None, "refit": False, "random_state": 0}
    models = [
        ConvolutionalAutoencoder(4, image_shape=(12, 11), channels=(8, 16), **settings),
        AutoencoderTransformer(4, hidden_layer_sizes=(24,), **settings),
    ]
    errors = [model.fit(shapes[:300]).reconstruction_error(shapes[300:]) for model in models]
    sizes = [sum(p.numel() for p in model.module_.autoencoder.parameters()) for model in models]
    assert sizes[0] < sizes[1]
    assert np.square(errors[0]).mean() < 0.5 * np.square(errors[1]).mean()


def test_the_start_is_pca(shapes):
    model = tiny(ConvolutionalAutoencoder, image_shape=(12, 11), max_iter=0).fit(shapes)
    assert_allclose(model.transform(shapes), PCA(2).fit_transform(shapes), atol=1e-9)


@pytest.mark.parametrize("n_features", [1, 2, 3, 7])
@pytest.mark.parametrize("upsampling", ["transpose", "nearest"])
def test_a_signal_may_have_any_number_of_features(n_features, upsampling):
    X = np.random.default_rng(0).normal(size=(40, n_features))
    model = tiny(
        ConvolutionalAutoencoder, 1, kernel_size=5, upsampling=upsampling, early_stopping=False
    )
    assert model.fit(X).inverse_transform(model.transform(X)).shape == X.shape
    assert np.isfinite(model.score(X))


@pytest.mark.parametrize(
    "wrong, message",
    [
        ({"image_shape": (12, 12)}, r"image_shape=\(12, 12\) makes 144 cells, but X has 132"),
        ({"image_shape": (132,)}, r"image_shape=\(132,\) must be two or three positive integers"),
        ({"image_shape": (-12, -11)}, "must be two or three positive integers"),
        ({"kernel_size": 4}, "kernel_size=4 must be odd, .* pass 3 or 5"),
        ({"channels": (8, 0)}, r"channels=\(8, 0\) must hold positive integers"),
        ({"downsampling": "mean"}, "'downsampling' parameter"),
    ],
)
def test_refuses_what_cannot_be(shapes, wrong, message):
    with pytest.raises(ValueError, match=message):
        tiny(ConvolutionalAutoencoder, **wrong).fit(shapes)


def test_noise_in_blocks_is_seen_through(shapes):
    model = ConvolutionalAutoencoder(
        16, image_shape=(12, 11), corruption="block", corruption_level=0.15, cv=None, refit=False,
        max_iter=20, random_state=0,
    ).fit(shapes[:300])  # fmt: skip
    X = shapes[300:].copy()
    X.reshape(-1, 12, 11)[:, 4:8, 4:8] = shapes.mean(axis=0).reshape(12, 11)[4:8, 4:8]
    clean = model.inverse_transform(model.transform(X))
    hole = X != shapes[300:]
    assert (
        np.square(clean - shapes[300:])[hole].mean()
        < 0.5 * np.square(X - shapes[300:])[hole].mean()
    )
