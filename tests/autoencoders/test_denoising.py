"""The denoising autoencoder, where linear algebra knows the best denoiser."""

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from skae import DenoisingAutoencoder, VAETransformer


@pytest.fixture
def clean():
    """Three hundred rows near a plane in six dimensions."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(300, 6)) + 3


def linear(n_components, **parameters):
    return DenoisingAutoencoder(
        n_components, hidden_layer_sizes=(), max_iter=0, random_state=0, **parameters
    )


def wiener(X, variance):
    """The best linear map from rows with white noise to rows without."""
    covariance = np.cov(X.T, bias=True)
    return covariance @ np.linalg.inv(covariance + variance * np.eye(X.shape[1]))


def test_starts_as_the_closed_form_of_ridge_regression(clean):
    """Noise of variance s2 on the inputs is a ridge of n s2 on the weights (Bishop 1995)."""
    model = linear(None, corruption_level=0.5).fit(clean)
    mean = clean.mean(axis=0)
    ridge = Ridge(alpha=len(clean) * 0.25, fit_intercept=False).fit(clean - mean, clean - mean)
    noisy = clean + np.random.default_rng(1).normal(scale=0.5, size=clean.shape)
    assert_allclose(model.denoise(noisy), ridge.predict(noisy - mean) + mean, atol=1e-10)


def test_training_a_linear_one_stays_at_the_optimum(clean):
    model = DenoisingAutoencoder(
        None, hidden_layer_sizes=(), corruption_level=0.5, early_stopping=False, random_state=0
    ).fit(clean)
    noisy = clean + np.random.default_rng(1).normal(scale=0.5, size=clean.shape)
    expected = (noisy - clean.mean(axis=0)) @ wiener(clean, 0.25).T + clean.mean(axis=0)
    assert model.best_iter_ > 0
    assert np.abs(model.denoise(noisy) - expected).max() < 0.1 * noisy.std()


def test_training_from_random_weights_finds_the_ridge_solution(clean):
    model = DenoisingAutoencoder(
        None,
        init="random",
        hidden_layer_sizes=(),
        corruption_level=0.5,
        early_stopping=False,
        max_iter=300,
        alpha=0,
        random_state=0,
    ).fit(clean)
    unit = np.vstack([np.zeros(6), np.eye(6)])
    found = np.diff(model.denoise(unit), axis=0, prepend=0)[1:] + 0
    found = (model.denoise(unit)[1:] - model.denoise(unit)[0]).T
    assert_allclose(found, wiener(clean, 0.25), atol=0.03)


def test_without_noise_it_starts_at_pca(clean):
    model, pca = linear(2, corruption_level=0.0).fit(clean), PCA(2).fit(clean)
    assert_allclose(
        model.inverse_transform(model.transform(clean)), pca.inverse_transform(pca.transform(clean))
    )


def test_a_narrow_start_is_the_best_of_its_rank(clean):
    """Nothing of rank 1 does better on many corrupted rows; PCA does worse."""
    rng = np.random.default_rng(0)
    X = clean * [1, 1, 1, 1, 1, 4]
    noisy = X + rng.normal(scale=2.0, size=(100, *X.shape))
    model, pca = linear(1, corruption_level=2.0).fit(X), PCA(1).fit(X)

    def error(restore):
        return np.mean([(restore(rows) - X) ** 2 for rows in noisy])

    best = error(model.denoise)
    assert best < error(lambda rows: pca.inverse_transform(pca.transform(rows)))
    mean = X.mean(axis=0)
    for _ in range(20):
        other = 0.05 * rng.normal(size=(6, 6))
        assert best < error(
            lambda rows, W=other: (model.denoise(rows) - mean) @ (np.eye(6) + W) + mean
        )


def test_masking_starts_as_the_marginalised_denoiser(clean):
    """Chen et al. 2012: regression of rows on their infinitely many corrupted copies."""
    model = linear(None, corruption="masking_mean", corruption_level=0.3).fit(clean)
    mean, rng = clean.mean(axis=0), np.random.default_rng(0)
    copies = np.tile(clean - mean, (3000, 1))
    seen = np.where(rng.random(copies.shape) < 0.3, 0, copies)
    W = np.linalg.lstsq(seen.T @ seen, seen.T @ copies, rcond=None)[0]
    assert_allclose(model.denoise(clean), (clean - mean) @ W + mean, atol=0.02)


def test_learns_to_denoise_better_than_the_best_linear_map(digits):
    rng = np.random.default_rng(0)
    noisy = digits + rng.normal(scale=0.5, size=digits.shape)
    settings = {"corruption_level": 0.5, "random_state": 0}
    trained = DenoisingAutoencoder(32, max_iter=15, **settings).fit(digits[:1300])
    start = linear(None, corruption_level=0.5).fit(digits[:1300])
    errors = [((m.denoise(noisy[1300:]) - digits[1300:]) ** 2).mean() for m in (trained, start)]
    assert errors[0] < 0.95 * errors[1]


def test_missing_cells_are_filled_in_from_the_others(clean):
    model = linear(None, corruption="masking_mean", corruption_level=0.3).fit(clean[:200])
    X = clean[200:].copy()
    hole = np.random.default_rng(0).random(X.shape) < 0.2
    X[hole] = np.nan
    estimate = model.denoise(X, n_passes=5)
    assert np.isfinite(estimate).all()
    error = np.abs(estimate - clean[200:])[hole].mean()
    assert error < 0.5 * np.abs(clean[:200].mean(axis=0) - clean[200:])[hole].mean()


def test_passes_keep_what_is_given_and_follow_the_estimate(clean):
    model = linear(None, corruption="masking_zero", corruption_level=0.3).fit(clean)
    X = clean[:4].copy()
    X[0, 1] = np.nan
    first = model.denoise(np.nan_to_num(X))
    assert_array_equal(model.denoise(X), first)  # NaN is seen as 0
    second = first.copy()
    second[0, [0, 2, 3, 4, 5]] = X[0, [0, 2, 3, 4, 5]]
    assert_allclose(model.denoise(X, n_passes=2), model.denoise(second))


def test_refuses_what_cannot_be(clean):
    model = linear(2).fit(clean)
    with pytest.raises(ValueError, match="n_passes=0 must be at least 1"):
        model.denoise(clean, n_passes=0)
    with pytest.raises(ValueError, match="infinity"):
        model.denoise(np.full((2, 6), np.inf))
    for level in (1.5, (0.5, 0.2), (0.1, 0.2, 0.3)):
        with pytest.raises(ValueError, match="corruption_level"):
            tiny(DenoisingAutoencoder, corruption="swap", corruption_level=level).fit(clean)
    with pytest.raises(ValueError, match=r"image_shape=\(2, 2\) makes 4 cells"):
        tiny(DenoisingAutoencoder, corruption="block", image_shape=(2, 2)).fit(clean)


def test_gaussian_noise_is_in_the_units_of_the_data(clean):
    """The same noise, ten times as large, on data ten times as large."""
    one = tiny(DenoisingAutoencoder, corruption_level=0.5).fit(clean)
    ten = tiny(DenoisingAutoencoder, corruption_level=5.0).fit(10 * clean)
    assert_allclose(ten.denoise(10 * clean), 10 * one.denoise(clean), rtol=1e-4)
    auto = tiny(DenoisingAutoencoder).fit(clean)
    deviation = np.sqrt(clean.var(axis=0).mean())
    given = tiny(DenoisingAutoencoder, corruption_level=deviation / 2).fit(clean)
    assert_allclose(auto.denoise(clean), given.denoise(clean), rtol=1e-6)


def test_emphasis_charges_corrupted_cells_more(clean):
    settings = {"corruption": "masking_mean", "early_stopping": False, "max_iter": 1}
    losses = [
        tiny(DenoisingAutoencoder, emphasis=emphasis, **settings).fit(clean).loss_curve_[0]
        for emphasis in (0.0, 0.5, 1.0)
    ]
    assert losses[0] > losses[1] > losses[2] > 0


def test_a_variational_autoencoder_can_denoise_too(clean):
    model = VAETransformer(2, corruption="swap", max_iter=10, random_state=0).fit(clean)
    assert np.isfinite(model.score(clean))
