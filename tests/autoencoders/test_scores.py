"""Scores and their reasons: what is true of every density, and which cell is to blame."""

import pickle

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

import skae
from skae import AutoencoderTransformer
from skae.autoencoders._density import DENSITIES
from skae.nn._networks import DenseNetwork


def fitted(density, X, **settings):
    settings = {"early_stopping": False, "support_fraction": 0.9, **settings}
    return tiny(AutoencoderTransformer, density=density, **settings).fit(X)


@pytest.mark.parametrize("density", DENSITIES)
class TestEveryDensity:
    def test_scores_are_the_same_bits_after_disk(self, density, blobs, tmp_path):
        for dtype in (np.float64, np.float32):
            X = blobs.astype(dtype)
            model = fitted(density, X)
            model.save(tmp_path / "model.safetensors")
            again = pickle.loads(pickle.dumps(model)), skae.load(tmp_path / "model.safetensors")
            for loaded in again:
                assert_array_equal(loaded.score_samples(X), model.score_samples(X))
                assert_array_equal(loaded.explain(X), model.explain(X))

    @pytest.mark.parametrize(("unit", "max_iter"), [(1e-6, 0), (1e6, 0), (2**-20, 3), (2**20, 3)])
    def test_another_unit_adds_a_constant(self, density, blobs, unit, max_iter):
        """p(x) dx is the same for whoever measures: d log u is all there may be."""
        rows = unit * blobs  # by a power of two to the bit, so that training is the same
        model, other = (fitted(density, X, max_iter=max_iter) for X in (blobs, rows))
        scores, others = model.score_samples(blobs), other.score_samples(rows)
        assert_allclose(others + 4 * np.log(unit), scores, rtol=1e-6, atol=1e-6)
        assert_array_equal(others.argsort(), scores.argsort())
        assert_allclose(other.explain(rows), model.explain(blobs), rtol=1e-6, atol=1e-6)
        error = other.reconstruction_error(rows)
        assert_allclose(error, unit * model.reconstruction_error(blobs), rtol=1e-6)

    def test_rows_in_single_precision_are_scored_in_double(self, density, blobs):
        single = blobs.astype(np.float32)
        model = fitted(density, blobs)
        scores = model.score_samples(single)
        assert scores.dtype == np.float64
        assert_allclose(scores, model.score_samples(blobs), rtol=1e-5, atol=1e-4)
        # without training, which makes much of little differences
        double, model = (fitted(density, X, max_iter=0) for X in (blobs, single))
        expected = double.score_samples(blobs)
        assert_allclose(model.score_samples(single), expected, rtol=1e-5, atol=1e-4)

    def test_a_row_is_scored_whatever_rows_are_beside_it(self, density, blobs):
        model, some = fitted(density, blobs), slice(7, 43, 3)
        for method in (model.score_samples, model.explain, model.reconstruction_error):
            assert_allclose(method(blobs[some]), method(blobs)[some], rtol=1e-9, atol=1e-9)
            assert_allclose(method(blobs[:1]), method(blobs)[:1], rtol=1e-9, atol=1e-9)

    @pytest.mark.filterwarnings("ignore:Collapse")
    @pytest.mark.parametrize("max_iter", [0, 1])
    @pytest.mark.parametrize("support_fraction", [0.6, 1.0])
    def test_is_finite_on_tables_that_break_likelihoods(
        self, density, blobs, max_iter, support_fraction
    ):
        settings = {"max_iter": max_iter, "support_fraction": support_fraction}
        for X in (
            np.hstack([blobs, blobs[:, :2] @ [[1.0, 2.0], [3.0, -1.0]]]),  # collinear
            np.hstack([blobs, np.full((60, 2), 7.3)]),  # constant columns
            np.full((20, 4), 0.1),  # one row, many times
            blobs[np.r_[:4, np.zeros(56, int)]],  # 94 % duplicates
            np.vstack([blobs, 1e6 + blobs[:1]]),  # one row far off
            blobs[:2],
        ):
            model = fitted(density, X, **settings)
            new = np.vstack([X, X + 1, 100 * X])
            for method in (model.score_samples, model.explain, model.reconstruction_error):
                assert np.isfinite(method(new)).all()
            assert model.score_samples(X).mean() > model.score_samples(100 * X).mean()


class TestLinearLimit:
    @pytest.mark.parametrize("whiten", [False, True])
    def test_explanations_are_shares_of_a_quadratic_form(self, blobs, whiten):
        """Half the Mahalanobis distance under PCA's covariance, cell by cell."""
        model, pca = tiny(AutoencoderTransformer, max_iter=0, whiten=whiten), PCA(2).fit(blobs)
        off = blobs - pca.mean_
        expected = 0.5 * off * (off @ pca.get_precision())
        assert_allclose(model.fit(blobs).explain(blobs), expected, rtol=1e-6, atol=1e-6)

    @pytest.mark.parametrize("density", ["isotropic", "diagonal", "full"])
    def test_explanations_of_any_gaussian_are_its_gradient(self, blobs, density):
        """Of a quadratic log-density the mean gradient on the way is the one half way."""
        model = fitted(density, blobs, max_iter=0)
        typical = model.inverse_transform(np.zeros((1, 2)))
        half, step = (blobs + typical) / 2, 1e-4 * np.eye(4)
        slope = np.column_stack(
            [(model.score_samples(half + e) - model.score_samples(half - e)) / 2e-4 for e in step]
        )
        assert_allclose(model.explain(blobs), -(blobs - typical) * slope, rtol=1e-5, atol=1e-5)

    def test_an_untouched_cell_of_an_independent_feature_is_not_to_blame(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(400, 4)) * [10.0, 5.0, 1.0, 1.0]
        model = AutoencoderTransformer(2, max_iter=0).fit(X)
        assert_allclose(model.explain([[0, 0, 8, 0]]), [[0, 0, 32, 0]], atol=4)


class TestNetworksThatSayNothing:
    """A model that stayed at PCA costs what PCA costs."""

    @pytest.fixture
    def asked(self, monkeypatch):
        """Which networks are asked from now on."""
        seen = []

        def hidden(self, x, rng=None, own=DenseNetwork.hidden):
            seen.append(self)
            return own(self, x, rng)

        monkeypatch.setattr(DenseNetwork, "hidden", hidden)
        return seen

    def use(self, model, X):
        Z = model.transform(X)
        return Z, model.inverse_transform(Z), model.score_samples(X)

    def test_are_not_asked(self, blobs, asked):
        model = tiny(AutoencoderTransformer, max_iter=0).fit(blobs)
        plain = tiny(AutoencoderTransformer, max_iter=0, hidden_layer_sizes=()).fit(blobs)
        asked.clear()
        for found, expected in zip(self.use(model, blobs), self.use(plain, blobs), strict=True):
            assert_allclose(found, expected, rtol=1e-10)
        assert asked == []

    def test_but_for_those_that_have_learnt(self, blobs, asked):
        model = tiny(AutoencoderTransformer, early_stopping=False).fit(blobs)
        asked.clear()
        self.use(model, blobs)
        autoencoder = model.module_.autoencoder
        assert {*asked} == {autoencoder.encoder.network, autoencoder.decoder.network}


class TestTheBestWidth:
    """The default scorer compares codes of different widths, so a grid search finds the true."""

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("n_true", [1, 3])
    def test_is_found_where_the_data_are_flat(self, n_true, seed):
        rng = np.random.default_rng(seed)
        X = rng.normal(size=(400, n_true)) @ rng.normal(size=(n_true, 20))
        X += 0.5 * rng.normal(size=X.shape)
        model = tiny(AutoencoderTransformer, max_iter=2, cv=5)  # as by default for so few rows
        for estimator in (PCA(), model):
            search = GridSearchCV(estimator, {"n_components": range(1, 6)}, cv=2, refit=False)
            assert search.fit(X).best_params_["n_components"] == n_true

    @pytest.mark.parametrize("kind", ["spiral", "sheet"])
    def test_is_found_where_they_are_curved(self, kind):
        """A turn of a spiral in three dimensions, or a wavy sheet in four, turned into six."""
        rng = np.random.default_rng(0)
        t, s = 1.5 * np.pi * rng.uniform(size=600), rng.normal(size=(600, 2))
        flat = np.zeros((600, 2))
        X = {
            "spiral": np.column_stack([np.cos(t), np.sin(t), t, 0 * t, flat]),
            "sheet": np.column_stack([s, np.sin(s), flat]),
        }[kind] @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
        X += 0.05 * rng.normal(size=X.shape)
        model = AutoencoderTransformer(
            hidden_layer_sizes=(64, 64),
            max_iter={"spiral": 25, "sheet": 40}[kind],
            batch_size=32,
            learning_rate_init=0.01,
            cv=None,
            refit=False,
            random_state=0,
        )
        found = [
            GridSearchCV(estimator, {"n_components": [1, 2, 3]}, cv=2, refit=False).fit(X)
            for estimator in (PCA(), model)
        ]
        by_pca, by_network = (search.cv_results_["mean_test_score"] for search in found)
        n_true = {"spiral": 1, "sheet": 2}[kind]
        assert by_network.argmax() + 1 == n_true < by_pca.argmax() + 1
        assert np.diff(np.sort(by_network))[-1] > 0.3  # nats a row


def test_a_corrupted_cell_ranks_first():
    """Ten standard deviations off, in rows that the model has not seen."""
    found = [
        ranks_first(load(return_X_y=True)[0], n_trials)
        for load, n_trials in ((load_breast_cancer, 334), (load_wine, 333), (load_diabetes, 333))
    ]
    assert np.concatenate(found).mean() >= 0.95


def ranks_first(X, n_trials):
    rng = np.random.default_rng(0)
    X = rng.permutation(StandardScaler().fit_transform(X))
    train, test = np.array_split(X, 2)
    model = tiny(AutoencoderTransformer, X.shape[1] // 2, max_iter=20).fit(train)
    rows = test[rng.integers(len(test), size=n_trials)]
    trial, cell = np.arange(n_trials), rng.integers(X.shape[1], size=n_trials)
    rows[trial, cell] += 10 * rng.choice([-1, 1], size=n_trials)
    return model.explain(rows).argmax(axis=1) == cell
