"""Fits that go on with more rows."""

import pickle

import numpy as np
import pytest
from conftest import public_estimators, tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA

from skae import AutoencoderTransformer
from skae.autoencoders import _partial as partial

AUTOENCODERS = public_estimators()


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(6000, 2))
    return np.hstack([Z, np.sin(2 * Z), Z**2]) @ rng.normal(size=(6, 8)) + 0.05 * rng.normal(
        size=(6000, 8)
    )


def explained(model, X):
    residual = X - model.inverse_transform(model.transform(X))
    return 1 - np.square(residual).sum() / np.square(X - X.mean(axis=0)).sum()


@pytest.mark.parametrize("Estimator", AUTOENCODERS)
class TestEveryAutoencoder:
    def test_takes_rows_part_by_part(self, Estimator, X):
        X, (model, same) = X[:300], (tiny(Estimator) for _ in range(2))
        for part in np.array_split(X, 3):
            assert model.partial_fit(part) is model
            same.partial_fit(part)
        assert model.n_samples_seen_ == 300
        assert_allclose(model.mean_, X.mean(axis=0))
        assert np.isfinite(model.score(X)) and model.transform(X).shape == (300, 2)
        assert_array_equal(same.transform(X), model.transform(X))

    def test_a_pickle_holds_no_rows_and_goes_on(self, Estimator, X):
        X = X[:200]
        model = tiny(Estimator).partial_fit(X[:100])
        loaded = pickle.loads(pickle.dumps(model))
        assert not hasattr(loaded, "_reservoir") and hasattr(model, "_reservoir")
        assert_array_equal(loaded.transform(X), model.transform(X))
        assert loaded.partial_fit(X[100:]).n_samples_seen_ == 200


def test_it_starts_at_pca_and_goes_up(X):
    model = AutoencoderTransformer(2, random_state=0).partial_fit(X[:1000])
    pca = explained(PCA(2).fit(X), X)
    assert explained(model, X) > pca - 0.02
    for _ in range(3):
        for part in np.array_split(X, 6):
            model.partial_fit(part)
    assert explained(model, X) > pca + 0.05


def test_the_linear_part_by_part_start_has_components_of_all_rows(X):
    """Without training the components are PCA's of the first part, read over all rows."""
    model = AutoencoderTransformer(8, max_iter=0, random_state=0)
    for part in np.array_split(X, 10):
        model.partial_fit(part)
    assert_allclose(model.explained_variance_, PCA(8).fit(X).explained_variance_, rtol=1e-6)


def test_fit_starts_afresh(X):
    model = tiny(AutoencoderTransformer).partial_fit(X[:300]).fit(X[:500])
    assert_array_equal(model.transform(X), tiny(AutoencoderTransformer).fit(X[:500]).transform(X))
    assert model.n_samples_seen_ == 500 and not hasattr(model, "_reservoir")


def test_the_sample_is_bounded_and_even(X, monkeypatch):
    monkeypatch.setattr(partial, "REMEMBERED", 8 * 500)
    model = tiny(AutoencoderTransformer, max_iter=0)
    numbered = np.hstack([X[:, :7], np.arange(6000.0)[:, None]])
    for part in np.array_split(numbered, 12):
        model.partial_fit(part)
    kept = model._reservoir.X[:, 7]
    assert len(kept) == 500 and len(set(kept)) == 500
    assert abs((kept < 3000).mean() - 0.5) < 0.1


def test_weights_count_in_the_mean(X):
    weights = np.random.default_rng(0).random(1000)
    model = tiny(AutoencoderTransformer).partial_fit(X[:1000], sample_weight=weights)
    assert_allclose(model.mean_, np.average(X[:1000], axis=0, weights=weights))


def test_another_number_of_columns_is_refused(X):
    model = tiny(AutoencoderTransformer).partial_fit(X[:300])
    with pytest.raises(ValueError, match="X has 7 features"):
        model.partial_fit(X[:, :7])
