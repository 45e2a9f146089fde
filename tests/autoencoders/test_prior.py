"""Autoencoders with a prior: where they start, where their codes end, what they draw."""

import numpy as np
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA

from skae import AdversarialAutoencoder, WassersteinAutoencoder
from skae.nn import PRIORS
from skae.nn._priors import squared_mmd

BOTH = pytest.mark.parametrize("Estimator", [AdversarialAutoencoder, WassersteinAutoencoder])


@pytest.fixture
def skewed():
    """Rows near a plane, on which they are log-normal."""
    rng = np.random.default_rng(0)
    plane = np.exp(0.6 * rng.normal(size=(1800, 2))) * [3, 2]
    axes = np.linalg.qr(rng.normal(size=(6, 2)))[0]
    return plane @ axes.T + 0.02 * rng.normal(size=(1800, 6))


def p_value(Z):
    """Of a permutation test: is the discrepancy of codes from normal draws one of chance?"""
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=Z.shape)
    found = float(squared_mmd(torch.tensor(Z), torch.tensor(drawn)))
    pooled, chance = np.vstack([Z, drawn]), []
    for _ in range(99):
        a, b = np.array_split(torch.tensor(rng.permutation(pooled)), 2)
        chance.append(float(squared_mmd(a, b)))
    return np.mean([found, *chance] >= np.float64(found))


@pytest.mark.parametrize(
    ("Estimator", "settings"),
    [
        (WassersteinAutoencoder, {"max_iter": 30}),
        (AdversarialAutoencoder, {"max_iter": 60}),
    ],
)
def test_unseen_codes_pass_for_draws_of_the_prior(Estimator, settings, skewed):
    """And do not at the start, for the rows are not normal."""
    settings = {"hidden_layer_sizes": (32,), "random_state": 0, "early_stopping": False, **settings}
    start, model = (
        Estimator(2, **settings | changes).fit(skewed[:1500]) for changes in ({"max_iter": 0}, {})
    )
    assert p_value(start.transform(skewed[1500:])) < 0.02
    assert p_value(model.transform(skewed[1500:])) > 0.1
    error = np.square(model.inverse_transform(model.transform(skewed)) - skewed).mean()
    assert error < 0.01 * skewed.var(axis=0).mean()


@BOTH
@pytest.mark.parametrize("tied_weights", [False, True])
def test_starts_at_pca_with_components_of_unit_variance(Estimator, tied_weights, blobs):
    model = tiny(Estimator, max_iter=0, tied_weights=tied_weights).fit(blobs)
    pca = PCA(2).fit(blobs)
    white = pca.transform(blobs) / np.sqrt(pca.explained_variance_ * 59 / 60)
    assert_allclose(model.transform(blobs), white, atol=1e-10)
    expected = pca.inverse_transform(pca.transform(blobs))
    assert_allclose(model.inverse_transform(model.transform(blobs)), expected, atol=1e-10)
    assert_allclose(model.score_samples(blobs), pca.score_samples(blobs))
    assert_allclose(model.explained_variance_, pca.explained_variance_)


@BOTH
@pytest.mark.parametrize("prior", PRIORS)
def test_samples_are_decoded_draws_of_the_prior(Estimator, prior, blobs):
    """In the module's units: `whiten` changes codes, and no sample."""
    plain, white = (
        tiny(Estimator, prior=prior, early_stopping=False, max_iter=20, whiten=whiten).fit(blobs)
        for whiten in (False, True)
    )
    sample = plain.sample(5000, random_state=0)
    assert sample.shape == (5000, 4) and sample.dtype == np.float64
    assert_allclose(white.sample(5000, random_state=0), sample)
    assert not np.allclose(white.transform(blobs), plain.transform(blobs))
    drawn = PRIORS[prior]((5000, 2), torch.Generator().manual_seed(1)).numpy()
    decoded = plain.inverse_transform(drawn)
    assert_allclose(sample.mean(axis=0), decoded.mean(axis=0), atol=0.15)
    assert_allclose(np.cov(sample.T), np.cov(decoded.T), atol=0.3)


@BOTH
def test_samples_of_the_start_have_the_moments_of_pca(Estimator, blobs):
    model, pca = tiny(Estimator, max_iter=0).fit(blobs), PCA(2).fit(blobs)
    sample = model.sample(100_000, random_state=0)
    expected = (pca.components_.T * pca.explained_variance_ * 59 / 60) @ pca.components_
    assert_allclose(sample.mean(axis=0), blobs.mean(axis=0), atol=0.03)
    assert_allclose(np.cov(sample.T), expected, atol=0.06)


@BOTH
def test_samples_repeat(Estimator, blobs):
    model = tiny(Estimator).fit(blobs.astype(np.float32))
    assert_array_equal(model.sample(3, random_state=0), model.sample(3, random_state=0))
    assert_array_equal(model.sample(3), model.sample(3))  # the estimator's random_state is an int
    assert not np.allclose(model.sample(3, random_state=1), model.sample(3, random_state=0))
    assert model.sample().shape == (1, 4) and model.sample().dtype == np.float32
    with pytest.raises(ValueError, match="n_samples=0 must be at least 1"):
        model.sample(0)


@BOTH
def test_under_noise_codes_have_unit_variance_at_the_start(Estimator, blobs):
    model = tiny(Estimator, corruption="gaussian", max_iter=0).fit(blobs)
    assert_allclose(model.transform(blobs).std(axis=0), 1)


@BOTH
def test_a_component_without_variance_is_no_number_divided_by_zero(Estimator, blobs):
    flat = np.column_stack([blobs[:, 0], np.zeros((60, 3))])
    model = tiny(Estimator, max_iter=0).fit(flat)
    assert np.isfinite(model.transform(flat)).all() and np.isfinite(model.sample(5)).all()
    still = tiny(Estimator).fit(np.ones((20, 3)))
    assert_allclose(still.sample(5), 1)


def test_the_adversary_s_widths_are_checked(blobs):
    with pytest.raises(ValueError, match=r"discriminator_layer_sizes=\(0,\) must hold positive"):
        tiny(AdversarialAutoencoder, discriminator_layer_sizes=(0,)).fit(blobs)


def test_the_adversary_may_be_linear_and_is_kept(blobs):
    model = tiny(AdversarialAutoencoder, discriminator_layer_sizes=()).fit(blobs)
    assert len(model.module_.autoencoder.discriminator.layers) == 1
    terms = ["discriminator", "temper", "reconstruction", "adversarial"]
    assert list(model.history_)[1:5] == terms
