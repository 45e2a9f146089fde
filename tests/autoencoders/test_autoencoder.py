"""What is true of the plain autoencoder: theorems, bad input, hostile input."""

import numpy as np
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import subspace_angles
from sklearn.datasets import make_low_rank_matrix
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score
from torch import nn

from skae import AutoencoderTransformer, load


def table(kind, rng):
    """Tables of the shapes that break naive linear algebra."""
    tall = rng.normal(size=(80, 6)) * np.arange(1, 7) + rng.normal(size=6)
    return {
        "tall": tall,
        "wide": rng.normal(size=(9, 30)) * np.arange(1, 31),
        "rank-deficient": np.hstack([tall[:, :4], tall[:, :4] @ rng.normal(size=(4, 3))]),
        "constant columns": np.hstack([tall, np.full((80, 2), 7.3)]),
    }[kind]


class TestPCALimit:
    """With nothing learnt, an autoencoder is principal component analysis."""

    @pytest.mark.parametrize("kind", ["tall", "wide", "rank-deficient", "constant columns"])
    @pytest.mark.parametrize("whiten", [False, True])
    @pytest.mark.parametrize("tied_weights", [False, True])
    def test_is_scikit_learns_pca(self, kind, whiten, tied_weights):
        X = table(kind, np.random.default_rng(0))
        model = AutoencoderTransformer(3, max_iter=0, whiten=whiten, tied_weights=tied_weights)
        model, pca = model.fit(X), PCA(3, whiten=whiten).fit(X)
        for name in (
            "explained_variance_",
            "explained_variance_ratio_",
            "noise_variance_",
            "mean_",
        ):
            assert_allclose(getattr(model, name), getattr(pca, name), rtol=1e-5, err_msg=name)
        Z = pca.transform(X)
        assert_allclose(model.transform(X), Z, rtol=1e-5, atol=1e-5 * np.abs(Z).max())
        assert_allclose(model.inverse_transform(Z), pca.inverse_transform(Z), rtol=1e-5, atol=1e-8)
        # PCA(whiten=True).score_samples scales its covariance twice (scikit-learn issue 13898)
        expected = PCA(3).fit(X).score_samples(X)
        assert_allclose(model.score_samples(X), expected, rtol=1e-5)
        assert model.best_iter_ == 0 and model.loss_curve_ == []

    def test_keeps_all_components_by_default_and_is_pca_then(self):
        X = table("tall", np.random.default_rng(0))
        model, pca = AutoencoderTransformer().fit(X), PCA().fit(X)
        assert model.n_components_ == 6 and model.noise_variance_ == pca.noise_variance_ == 0
        assert_allclose(model.transform(X), pca.transform(X), atol=1e-10)
        assert_allclose(model.score_samples(X), pca.score_samples(X))

    def test_is_pca_where_training_never_helps(self):
        X = np.random.default_rng(0).normal(size=(300, 6))  # noise has no shape to learn
        for cv in (None, 3):
            model = AutoencoderTransformer(
                3, cv=cv, learning_rate_init=10.0, max_iter=2, solver="sgd", random_state=0
            ).fit(X)
            assert model.best_iter_ == 0
            assert_allclose(model.transform(X), PCA(3).fit_transform(X), atol=1e-10)

    @pytest.mark.parametrize("loss", ["absolute_error", "huber"])
    def test_other_losses_start_at_pca_too(self, loss):
        X = table("tall", np.random.default_rng(0))
        model = AutoencoderTransformer(3, max_iter=0, loss=loss).fit(X)
        assert_allclose(model.transform(X), PCA(3).fit_transform(X), atol=1e-10)

    def test_cross_entropy_starts_at_pca_to_first_order(self, digits):
        X = 0.5 + 0.01 * (digits - digits.mean(axis=0))
        model = AutoencoderTransformer(5, max_iter=0, loss="binary_cross_entropy").fit(X)
        pca = PCA(5).fit(X)
        expected = pca.inverse_transform(pca.transform(X))
        assert_allclose(model.inverse_transform(model.transform(X)), expected, atol=1e-5)


def test_a_linear_autoencoder_finds_the_principal_subspace():
    """Baldi & Hornik (1989): the global optimum spans the leading principal axes."""
    X = make_low_rank_matrix(500, 8, effective_rank=3, tail_strength=0.1, random_state=0)
    model = AutoencoderTransformer(
        2,
        hidden_layer_sizes=(),
        init="random",
        max_iter=300,
        learning_rate_init=0.02,
        early_stopping=False,
        random_state=0,
    ).fit(X)
    axes = model.inverse_transform(np.eye(2)) - model.inverse_transform(np.zeros((2, 2)))
    assert subspace_angles(axes.T, PCA(2).fit(X).components_.T).max() < 0.02  # radians
    assert_allclose(model.explained_variance_, PCA(2).fit(X).explained_variance_, rtol=1e-2)


def test_learns_what_pca_cannot_see(blobs):
    model = AutoencoderTransformer(2, random_state=0).fit(blobs)
    pca = PCA(2).fit(blobs)
    new = np.random.default_rng(1).uniform(-1.5, 1.5, size=(200, 2))
    new = np.column_stack([new, new[:, 0] ** 2, new[:, 0] * new[:, 1]])
    by_pca = r2_score(new, pca.inverse_transform(pca.transform(new)))
    assert r2_score(new, model.inverse_transform(model.transform(new))) > by_pca + 0.2


def test_held_out_scores_start_at_pcas(digits):
    model = tiny(AutoencoderTransformer, 7, hidden_layer_sizes=(32,)).fit(digits)
    assert len(model.validation_scores_) == 4 and len(model.loss_curve_) == model.n_iter_
    pca = PCA(7).fit(digits)
    by_pca = r2_score(
        digits, pca.inverse_transform(pca.transform(digits)), multioutput="variance_weighted"
    )
    assert model.validation_scores_[0] == pytest.approx(by_pca, abs=0.03)
    assert model.validation_scores_[model.best_iter_] == max(model.validation_scores_)


def test_a_share_picks_the_smallest_code_that_reaches_it(digits):
    settings = {"hidden_layer_sizes": (), "random_state": 0, "max_iter": 1}
    model = AutoencoderTransformer(0.8, **settings).fit(digits)
    assert max(model.validation_scores_) >= 0.8
    narrower = AutoencoderTransformer(model.n_components_ - 1, **settings).fit(digits)
    assert max(narrower.validation_scores_) < 0.8
    share = PCA().fit(digits).explained_variance_ratio_.cumsum()
    assert abs(model.n_components_ - (1 + np.argmax(share >= 0.8))) <= 1


def test_a_share_without_training_counts_as_pca_counts(digits):
    model = AutoencoderTransformer(0.9, max_iter=0).fit(digits)
    assert model.n_components_ == PCA(0.9).fit(digits).n_components_


def test_a_warm_start_goes_on_from_where_it_was(digits):
    model = tiny(AutoencoderTransformer, 5, hidden_layer_sizes=(32,), warm_start=True, max_iter=8)
    first = max(model.fit(digits).validation_scores_)
    assert model.fit(digits).validation_scores_[0] == pytest.approx(first, abs=0.05)
    assert max(model.validation_scores_) > first + 0.01
    with pytest.raises(ValueError, match="goes on from a fit on 64 features, but X has 63"):
        model.fit(digits[:, 1:])


def test_custom_modules_keep_the_pca_start_and_the_users_own_weights(blobs):
    encoder = nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Dropout(0.1), nn.Linear(16, 2))
    decoder = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 4))
    before = [p.detach().clone() for p in encoder.parameters()]
    model = tiny(AutoencoderTransformer, encoder=encoder, decoder=decoder, max_iter=0).fit(blobs)
    assert_allclose(model.transform(blobs), PCA(2).fit_transform(blobs), atol=1e-10)
    state = torch.get_rng_state()
    model.set_params(max_iter=60).fit(blobs)
    assert torch.equal(state, torch.get_rng_state())
    assert max(model.validation_scores_) > model.validation_scores_[0] + 0.01
    assert all(torch.equal(p, q) for p, q in zip(encoder.parameters(), before, strict=True))


def test_half_precision_learns_as_much_and_concerns_training_alone(digits):
    full, half = (
        tiny(AutoencoderTransformer, 5, max_iter=20, early_stopping=False, precision=precision)
        .set_params(hidden_layer_sizes=(32,))
        .fit(digits)
        for precision in ("float32", "bfloat16")
    )
    assert half.loss_curve_[-1] < 0.8 * half.loss_curve_[0]
    assert_allclose(half.loss_curve_, full.loss_curve_, rtol=0.02)
    assert half.transform(digits).dtype == np.float64


def test_prints_readable_lines(blobs, capsys):
    tiny(AutoencoderTransformer, verbose=1).fit(blobs)
    lines = capsys.readouterr().out.splitlines()
    assert 3 <= len(lines) <= 6
    assert lines[0].startswith("[AutoencoderTransformer] epoch 1/3  loss ")
    assert "held-out" in lines[0]


class TestBadInput:
    """Errors that name the value, the limit and the way out."""

    @pytest.mark.parametrize(
        ("X", "message"),
        [
            (
                np.array([[1.0, np.nan], [0.0, np.nan]]),
                "1 of 2 columns hold no value at all.*1.*drop",
            ),
            (np.array([[1.0, np.inf], [0.0, 1.0]]), "contains infinity"),
            (np.ones((5, 2), dtype=complex), "Complex data not supported"),
            (np.array([["a", "b"], ["c", "d"]]), "could not convert string to float"),
            (np.ones(5), "Expected 2D array, got 1D array"),
            (np.ones((0, 2)), "Found array with 0 sample"),
            (np.ones((2, 0)), "Found array with 0 feature"),
        ],
    )
    def test_in_fit(self, X, message):
        with pytest.raises(ValueError, match=message):
            AutoencoderTransformer().fit(X)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"n_components": 5}, r"n_components=5 is larger than min\(n_samples, n_features\)=4"),
            ({"n_components": 0}, "'n_components' parameter"),
            ({"n_components": 1.5}, "'n_components' parameter"),
            ({"loss": "binary_cross_entropy"}, r"needs X in \[0, 1\], but X ranges from -"),
            ({"device": "abacus"}, "device='abacus' cannot be used here"),
            ({"activation": "step"}, "'activation' parameter"),
            ({"hidden_layer_sizes": (4, 0)}, "hidden_layer_sizes.*positive integers"),
            (
                {"hidden_layer_sizes": (4, 2), "decoder_layer_sizes": (3,), "tied_weights": True},
                "tied_weights=True needs a decoder that mirrors",
            ),
            ({"batch_size": 1, "normalization": "batch"}, "normalization='batch'.*batch_size"),
        ],
    )
    def test_in_parameters(self, parameters, message, blobs):
        with pytest.raises(ValueError, match=message):
            tiny(AutoencoderTransformer).set_params(**parameters).fit(blobs)

    def test_in_use(self, blobs):
        model = tiny(AutoencoderTransformer).fit(blobs)
        with pytest.raises(ValueError, match="X has 3 features, but Autoenc"):
            model.transform(blobs[:, :3])
        with pytest.raises(ValueError, match=r"3 columns, but .* decodes codes of 2"):
            model.inverse_transform(blobs[:, :3])


class TestHostileInput:
    """Results, not errors, where the data are merely unusual."""

    @staticmethod
    def check(X, **parameters):
        model = tiny(AutoencoderTransformer, 1, **parameters).fit(X)
        for values in (
            model.transform(X),
            model.inverse_transform(model.transform(X)),
            model.score_samples(X),
        ):
            assert np.isfinite(values).all()
        return model

    @pytest.mark.parametrize(
        "X",
        [
            np.ones((30, 3)),
            np.full((30, 3), 0.1),
            np.arange(3.0)[None],
            np.arange(30.0)[:, None],
            np.repeat(np.random.default_rng(0).normal(size=(3, 4)), 20, axis=0),
            np.random.default_rng(0).normal(size=(20, 50)),
            np.random.default_rng(0).integers(0, 9, size=(30, 3)),
            np.random.default_rng(0).normal(size=(30, 3)) > 0,
            1e8 + np.random.default_rng(0).normal(size=(50, 4)),
        ],
        ids=[
            "constant",
            "constant with rounding",
            "one row",
            "one feature",
            "duplicates",
            "wide",
            "integers",
            "booleans",
            "large offset",
        ],
    )
    @pytest.mark.parametrize("cv", [None, 2])
    def test_gives_finite_results(self, X, cv):
        self.check(X, cv=cv)

    def test_one_row_is_its_own_reconstruction(self):
        X = np.array([[3.0, 1.0, 2.0]])
        model = self.check(X)
        assert_allclose(model.inverse_transform(model.transform(X)), X)

    @pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e-3, 1e30, 1e150])
    def test_does_not_care_about_the_unit(self, scale, blobs):
        power = 2.0 ** np.round(np.log2(scale))  # a power of two: not even rounding changes
        one, other = self.check(blobs), self.check(blobs * power)
        assert_array_equal(other.transform(blobs * power), one.transform(blobs) * power)
        shift = one.n_features_in_ * np.log(power)
        assert_allclose(other.score_samples(blobs * power), one.score_samples(blobs) - shift)

    @pytest.mark.parametrize("scale", [1e-30, 1e30])
    def test_float32_of_any_unit(self, scale, blobs):
        model = self.check((blobs * scale).astype(np.float32))
        assert model.transform((blobs * scale).astype(np.float32)).dtype == np.float32

    def test_does_not_care_about_memory_layout(self, blobs, tmp_path):
        expected = self.check(blobs).transform(blobs)
        np.save(tmp_path / "X.npy", blobs)
        frozen = blobs.copy()
        frozen.flags.writeable = False
        for X in (np.asfortranarray(blobs), frozen, np.load(tmp_path / "X.npy", mmap_mode="r")):
            assert_allclose(self.check(X).transform(X), expected, atol=1e-10)

    def test_fewer_rows_than_a_batch(self, blobs):
        assert self.check(blobs, batch_size=1000, max_iter=60).best_iter_ > 0

    def test_a_wild_learning_rate_never_leaves_bad_weights(self, blobs):
        model = tiny(
            AutoencoderTransformer,
            solver="sgd",
            early_stopping=False,
            learning_rate="constant",
            learning_rate_init=1e30,
            max_iter=5,
        )
        with pytest.warns(ConvergenceWarning, match="Pass a lower learning_rate_init"):
            model.fit(blobs)
        assert np.isfinite(model.score_samples(blobs)).all()


@pytest.mark.filterwarnings("ignore:Collapse")  # of twenty layers without
def test_with_shortcuts_twenty_layers_train_as_well_as_four(digits):
    scores = {}
    for residual, depth in ((True, 4), (True, 20), (False, 20)):
        model = AutoencoderTransformer(
            8,
            hidden_layer_sizes=(32,) * depth,
            residual=residual,
            init="random",
            batch_size=64,
            max_iter=12,
            refit=False,
            random_state=0,
        ).fit(digits[:1300])
        scores[residual, depth] = model.validation_scores_[model.best_iter_]
    assert scores[True, 20] > scores[True, 4] - 0.02
    assert scores[False, 20] < scores[True, 20] - 0.2


def test_a_transformer_starts_at_pca_and_learns(blobs, tmp_path):
    X = np.vstack([blobs, -blobs])
    settings = {"architecture": "transformer", "hidden_layer_sizes": (8, 8)}
    start, pca = tiny(AutoencoderTransformer, max_iter=0, **settings).fit(X), PCA(2).fit(X)
    assert_allclose(start.transform(X), pca.transform(X), atol=1e-10)
    model = tiny(AutoencoderTransformer, max_iter=30, early_stopping=False, **settings).fit(X)
    assert model.loss_curve_[-1] < 0.95 * model.loss_curve_[0]
    model.save(tmp_path / "model.safetensors")
    assert_array_equal(load(tmp_path / "model.safetensors").transform(X), model.transform(X))
    with pytest.raises(ValueError, match="architecture='transformer'"):
        tiny(AutoencoderTransformer, tied_weights=True, **settings).fit(X)
