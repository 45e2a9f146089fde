"""What a fit tells of its epochs."""

import pickle

import numpy as np
import pytest
import torch
from conftest import public_estimators, tiny
from numpy.testing import assert_allclose, assert_array_equal

from skae import AutoencoderTransformer, VAETransformer
from skae.autoencoders._canonical import CodeAxes
from skae.training._player import Player


@pytest.mark.parametrize("cv", [None, 3])
@pytest.mark.parametrize("refit", [True, False])
@pytest.mark.parametrize("Estimator", public_estimators())
def test_has_an_entry_an_epoch(Estimator, refit, cv, blobs):
    model = tiny(Estimator, max_iter=3, refit=refit, cv=cv, learning_rate_init=0.02).fit(blobs)
    history, n_epochs = model.history_, len(model.loss_curve_)
    assert {"loss", "learning_rate", "gradient_norm", "update_ratio", "validation"} <= set(history)
    for curve in history.values():
        assert curve.shape == (n_epochs,) and curve.dtype == np.float64
        assert np.isfinite(curve).all()
    assert_array_equal(history["loss"], model.loss_curve_)
    terms = list(history)[1:-4]
    if terms:
        assert_allclose(sum(history[term] for term in terms), history["loss"])


def test_validation_is_the_error_that_the_scores_are_shares_of(blobs):
    model = tiny(AutoencoderTransformer, refit=False).fit(blobs)
    unexplained = 1 - np.array(model.validation_scores_[1:])
    ratio = model.history_["validation"] / unexplained
    assert_allclose(ratio, ratio[0])
    likely = tiny(VAETransformer, refit=False).fit(blobs)
    assert_allclose(likely.history_["validation"], -np.array(likely.validation_scores_[1:]))


def test_folds_that_end_early_leave_gaps(blobs):
    model = tiny(AutoencoderTransformer, cv=3, max_iter=40, tol=1e-3, n_iter_no_change=1).fit(blobs)
    assert model.history_["validation"].shape == model.history_["loss"].shape


def test_is_empty_where_nothing_is_trained(blobs):
    model = tiny(AutoencoderTransformer, max_iter=0).fit(blobs)
    assert all(curve.shape == (0,) for curve in model.history_.values())


def test_norms_are_those_of_the_steps_before_they_are_shortened(blobs, monkeypatch):
    """By SGD without momentum or decay a step is the rate times the shortened gradient."""
    norms = []

    def seen(self, rate, longest, step=Player.step):
        gradients = [p.grad.flatten() for p in self.parameters]
        norms.append(float(torch.cat(gradients).norm()))
        return step(self, rate, longest)

    monkeypatch.setattr(Player, "step", seen)
    settings = {"solver": "sgd", "momentum": 0.0, "alpha": 0.0, "learning_rate": "constant"}
    model = tiny(
        AutoencoderTransformer, early_stopping=False, batch_size=20, init="random", **settings
    ).fit(blobs)
    norms = np.array(norms).reshape(3, 3)
    assert_allclose(model.history_["gradient_norm"], norms.mean(axis=1), rtol=1e-6)
    module = model.module_.autoencoder
    length = np.sqrt(sum(float(p.detach().square().sum()) for p in module.parameters()))
    rate = model.history_["learning_rate"][-1]
    expected = rate * min(1.0, norms[-1, -1]) / length  # of the weights after it: nearly the same
    assert_allclose(model.history_["update_ratio"][-1], expected, rtol=0.01)


def test_is_the_same_in_a_pickle(blobs):
    model = tiny(AutoencoderTransformer).fit(blobs)
    again = pickle.loads(pickle.dumps(model)).history_
    assert list(again) == list(model.history_)
    for name, curve in model.history_.items():
        assert_array_equal(again[name], curve)


def test_effective_dimension_counts_components_that_share_evenly():
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.normal(size=(90, 3)))[0]
    Q = np.linalg.qr(Q - Q.mean(axis=0))[0]
    even = np.hstack([Q, np.zeros((90, 1))])
    assert_allclose(AutoencoderTransformer(3, max_iter=0).fit(even).effective_dimension_, 3)
    one = even * [1, 1e-9, 1e-9, 1]
    assert_allclose(AutoencoderTransformer(2, max_iter=0).fit(one).effective_dimension_, 1)
    ratio = AutoencoderTransformer(3, max_iter=0).fit(even * [2, 1, 1, 1]).effective_dimension_
    assert_allclose(ratio, (4 + 1 + 1) ** 2 / (16 + 1 + 1))
    assert CodeAxes(variance=np.zeros(2), std=np.ones(2)).effective_dimension == 0


def test_a_start_that_is_kept_is_said_under_verbose(blobs, capsys):
    model = tiny(AutoencoderTransformer, learning_rate_init=1e-9, verbose=1).fit(blobs)
    assert model.best_iter_ == 0
    assert "no epoch does better on held-out rows than the start" in capsys.readouterr().out
    tiny(AutoencoderTransformer, learning_rate_init=0.02, max_iter=40, verbose=1).fit(blobs)
    assert "no epoch does better" not in capsys.readouterr().out
