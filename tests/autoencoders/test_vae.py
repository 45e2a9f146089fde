"""The variational autoencoder, where the linear model knows the likelihood exactly."""

import numpy as np
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.decomposition import PCA, FactorAnalysis
from sklearn.exceptions import ConvergenceWarning

from skae import VAETransformer
from skae.autoencoders._draws import draws_for_bound, draws_for_elbo


@pytest.fixture(scope="module")
def plane():
    """A thousand rows of two factors in five dimensions, with noise of one variance."""
    rng = np.random.default_rng(0)
    loadings = np.array([[2.0, 1.0, 0.0, 1.0, 0.5], [0.0, 1.0, -1.5, 0.5, 1.0]])
    return rng.normal(size=(1000, 2)) @ loadings + 0.3 * rng.normal(size=(1000, 5)) + 4


def linear(n_components, **parameters):
    return VAETransformer(n_components, hidden_layer_sizes=(), random_state=0, **parameters)


def test_a_linear_one_starts_at_probabilistic_pca(plane):
    """Lucas et al. 2019: the maximum of the linear ELBO is the maximum likelihood."""
    model = linear(2, noise="isotropic", max_iter=0).fit(plane)
    pca = PCA(2).fit(plane)
    assert_allclose(model.noise_variance_, pca.noise_variance_)
    assert_allclose(model.score_samples(plane), pca.score_samples(plane))
    assert_allclose(model.score_samples(plane, n_importance_samples=7), pca.score_samples(plane))


def test_training_a_linear_one_stays_at_probabilistic_pca(plane):
    model = linear(2, noise="isotropic", early_stopping=False).fit(plane)
    pca = PCA(2).fit(plane)
    assert model.best_iter_ > 0
    assert_allclose(model.noise_variance_, pca.noise_variance_, rtol=0.05)
    assert_allclose(model.score(plane), pca.score(plane), rtol=0.01)


def test_training_from_random_weights_comes_to_probabilistic_pca(plane):
    model = VAETransformer(
        2,
        noise="isotropic",
        init="random",
        hidden_layer_sizes=(),
        early_stopping=False,
        alpha=0,
        max_iter=300,
        batch_size=100,
        random_state=0,
    ).fit(plane)
    pca = PCA(2).fit(plane)
    assert_allclose(model.noise_variance_, pca.noise_variance_, rtol=0.05)
    assert_allclose(model.score(plane), pca.score(plane), rtol=0.01)


def test_noise_of_each_feature_starts_at_factor_analysis(plane):
    X = plane + np.random.default_rng(1).normal(size=plane.shape) * [0.1, 0.5, 1.0, 0.2, 0.7]
    model = linear(2, max_iter=0).fit(X)
    analysis = FactorAnalysis(2, svd_method="lapack").fit(X)
    assert_allclose(model.noise_variance_, analysis.noise_variance_, rtol=1e-3)
    assert_allclose(model.score(X), analysis.score(X), rtol=1e-4)


def test_a_code_as_wide_as_the_data_is_the_full_gaussian(plane):
    model = linear(None, noise="isotropic", max_iter=0).fit(plane)
    expected = multivariate_normal(plane.mean(axis=0), np.cov(plane.T)).logpdf(plane)
    assert_allclose(model.score_samples(plane), expected, rtol=1e-6)


def test_the_posterior_is_the_exact_one_of_the_linear_model(plane):
    model = linear(2, noise="isotropic", max_iter=0).fit(plane)
    mean, std = model.transform(plane, return_std=True)
    W = model.inverse_transform(np.eye(2)) - model.inverse_transform(np.zeros((1, 2)))
    covariance = np.linalg.inv(np.eye(2) + W @ W.T / model.noise_variance_)
    expected = (plane - plane.mean(axis=0)) @ W.T @ covariance / model.noise_variance_
    assert_allclose(mean, expected, atol=1e-10)
    assert_allclose(std, np.tile(np.sqrt(np.diag(covariance)), (len(plane), 1)))


def test_the_importance_weighted_bound_rises_to_the_likelihood(plane):
    """A wrong posterior: the bound is below the exact value and closes in from below."""
    model = linear(2, noise="isotropic", max_iter=0).fit(plane)
    module, exact = model.module_.autoencoder, PCA(2).fit(plane).score(plane)
    with torch.no_grad():
        module.encoder.path.bias.add_(torch.tensor([0.5, -0.5, 1.4, 1.4]))
    bounds = [model.score_samples(plane, n_importance_samples=k).mean() for k in (1, 500, 5000)]
    assert bounds[0] < exact - 0.5
    assert_allclose(bounds[1:], exact, atol=0.02)


def test_draws_for_the_elbo_have_mean_zero_and_covariance_one():
    for n_components in (1, 3, 40):
        draws = draws_for_elbo(n_components)
        assert_allclose(draws.mean(axis=0), 0, atol=1e-12)
        assert_allclose(draws.T @ draws / len(draws), np.eye(n_components), atol=1e-10)


def test_draws_for_the_bound_are_standard_normal():
    draws = draws_for_bound(3, 1000)
    assert draws.shape == (1000, 3)
    assert_allclose(draws.mean(axis=0), 0, atol=0.01)
    assert_allclose(np.cov(draws.T), np.eye(3), atol=0.02)


def test_scores_are_nats_in_any_unit(plane):
    one, thousand = linear(2, max_iter=2).fit(plane), linear(2, max_iter=2).fit(1000 * plane)
    shift = 5 * np.log(1000)
    assert_allclose(
        thousand.score_samples(1000 * plane) + shift, one.score_samples(plane), rtol=1e-3
    )


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_samples_look_like_the_data(plane, loss):
    model = linear(2, loss=loss, max_iter=0).fit(plane)
    X = model.sample(20000, random_state=0)
    assert_allclose(X.mean(axis=0), plane.mean(axis=0), atol=0.1)
    assert_allclose(np.cov(X.T), np.cov(plane.T), atol=0.3)
    smooth = model.sample(20000, noise=False, random_state=0)
    assert np.linalg.eigvalsh(np.cov(smooth.T))[0] < 1e-8  # on the plane itself


def test_samples_and_codes_repeat_with_their_seed(plane):
    model = linear(2, max_iter=0).fit(plane)
    for seed in (0, 1):
        assert_array_equal(model.sample(3, random_state=seed), model.sample(3, random_state=seed))
    assert not np.array_equal(model.sample(3, random_state=1), model.sample(3, random_state=0))
    mean, std = model.transform(plane, return_std=True)
    Z = model.sample_posterior(plane, random_state=0)
    assert_array_equal(Z, model.sample_posterior(plane, random_state=0))
    assert_allclose(((Z - mean) / std).std(), 1, atol=0.05)


def test_bernoulli_rows_are_drawn_from_their_probabilities():
    """Nothing to learn but four means: the bound is their entropy, whatever the code."""
    p = np.tile([0.1, 0.3, 0.5, 0.9], (2000, 1))
    model = VAETransformer(
        1, loss="binary_cross_entropy", early_stopping=False, max_iter=30, random_state=0
    )
    model.fit(p)
    X = (np.random.default_rng(0).random(p.shape) < p).astype(float)
    entropy = -(p[0] * np.log(p[0]) + (1 - p[0]) * np.log(1 - p[0])).sum()
    assert_allclose(model.score(X), -entropy, atol=0.1)
    assert set(np.unique(model.sample(200, random_state=0))) == {0.0, 1.0}
    assert_allclose(model.sample(4000, random_state=0).mean(axis=0), p[0], atol=0.06)


def test_a_large_beta_gives_components_up_and_says_so(blobs):
    X = np.random.default_rng(0).normal(size=(300, 5)) + np.tile(blobs[0, :1], (300, 5))
    with pytest.warns(ConvergenceWarning, match="Posterior collapse: 2 of 2 components do not"):
        model = tiny(VAETransformer, beta=50, early_stopping=False, max_iter=100).fit(X)
    assert not model.active_components_.any()


def test_free_bits_keep_components_in_use():
    X = np.random.default_rng(0).normal(size=(300, 5))
    settings = {"beta": 50, "free_bits": 1.0, "early_stopping": False, "max_iter": 100}
    model = tiny(VAETransformer, **settings).fit(X)
    assert model.active_components_.all()


def test_a_bent_sheet_is_more_likely_than_under_any_linear_model():
    rng = np.random.default_rng(0)
    t = rng.uniform(0, 2, size=(900, 2))
    X = np.column_stack([t, t[:, 0] ** 2, t[:, 0] * t[:, 1]]) + 0.05 * rng.normal(size=(900, 4))
    model = VAETransformer(2, cv=None, random_state=0).fit(X[:700])
    linear_score = max(m(2).fit(X[:700]).score(X[700:]) for m in (PCA, FactorAnalysis))
    assert model.score(X[700:]) > linear_score + 0.5


@pytest.mark.parametrize("loss", ["squared_error", "absolute_error"])
def test_a_row_like_no_other_is_little_less_likely_than_at_the_start(plane, loss):
    """Whatever training has made of the networks: a hundredth of the density is the start's."""
    settings = {"loss": loss, "noise": "isotropic", "random_state": 0, "early_stopping": False}
    model, pca = VAETransformer(2, max_iter=20, **settings).fit(plane), PCA(2).fit(plane)
    far = 100 * np.random.default_rng(0).normal(size=(50, 5))
    assert (model.score_samples(far) > pca.score_samples(far) - 4.61).all()


def test_several_importance_samples_train_a_tighter_bound(plane):
    model = tiny(VAETransformer, n_importance_samples=5, max_iter=10).fit(plane)
    assert_array_equal(
        model.score_samples(plane), model.score_samples(plane, n_importance_samples=5)
    )


def test_warm_up_raises_the_weight_of_the_divergence(plane):
    module = tiny(VAETransformer, kl_warm_up=0.5, max_iter=0).fit(plane).module_.autoencoder
    x = torch.randn(50, 5, dtype=torch.float64)
    terms = []
    for module.progress in (0.0, 0.25, 0.5, 1.0):
        terms.append(float(module.loss(x, torch.Generator().manual_seed(0))["kl"].detach()))
    assert_allclose(np.array(terms) / terms[-1], [0, 0.5, 1, 1])


def test_tells_whole_numbers_of_samples_apart(plane):
    model = linear(2, max_iter=0).fit(plane)
    with pytest.raises(ValueError, match="n_samples=0 must be at least 1"):
        model.sample(0)
    with pytest.raises(ValueError, match="n_importance_samples=-1 must be at least 1"):
        model.score_samples(plane, n_importance_samples=-1)
