"""How the weights to keep are chosen."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import tiny

from skae import AutoencoderTransformer, DenoisingAutoencoder, SparseAutoencoder, VAETransformer
from skae.autoencoders import _fitting, _solution
from skae.autoencoders._fitted import best_length
from skae.autoencoders._sizes import (
    batch_rows,
    dropout_rate,
    epochs,
    folds,
    hidden_widths,
    peak_learning_rate,
)
from skae.training import Rows


def fold(*errors):
    """The record of a fold with these held-out errors after each epoch; the mean's are 1."""
    ones = torch.ones(len(errors[0]), dtype=torch.float64)
    return SimpleNamespace(
        errors=[torch.tensor(row, dtype=torch.float64) for row in errors],
        baseline_errors=ones,
    )


def test_the_best_length_is_the_best_over_all_rows():
    best, scores, errors = best_length(
        [fold([0.5, 0.6], [0.4, 0.4], [0.1, 0.2]), fold([0.7], [0.1], [0.3])]
    )
    assert best == 2
    assert scores == pytest.approx([0.4, 0.7, 0.8])
    assert errors == pytest.approx([0.6, 0.3, 0.2])


def test_a_gain_within_its_standard_error_is_no_reason_to_leave_the_start():
    best, scores, _ = best_length([fold([0.5, 0.5, 0.5, 0.5], [0.9, 0.1, 0.9, 0.0])])
    assert scores[1] > scores[0] and best == 0


def test_folds_choose_a_length_and_all_rows_are_learnt_from(blobs):
    model = tiny(AutoencoderTransformer, cv=3, max_iter=40).fit(blobs)
    assert len(model.validation_scores_) == 41
    assert model.best_iter_ == len(model.loss_curve_) == model.n_iter_
    assert model.best_iter_ == int(np.argmax(model.validation_scores_))


def test_patience_ends_training(digits):
    model = tiny(
        AutoencoderTransformer,
        5,
        max_iter=50,
        n_iter_no_change=2,
        tol=0.1,
        hidden_layer_sizes=(16,),
    ).fit(digits)
    assert len(model.validation_scores_) == 3


def test_training_ends_when_nothing_is_left_to_learn():
    X = np.random.default_rng(0).normal(size=(200, 2)) @ np.ones((2, 5))
    assert tiny(AutoencoderTransformer, 2, max_iter=50).fit(X).n_iter_ == 1


def test_without_early_stopping_all_rows_are_learnt_from_to_the_end(blobs):
    model = tiny(AutoencoderTransformer, early_stopping=False).fit(blobs)
    assert model.validation_scores_ == [] and model.best_iter_ == model.n_iter_ == 3


def test_sizes_follow_the_table():
    assert hidden_widths(100, 5) == (64, 32) and hidden_widths(2000, 40) == (80, 80, 80)
    assert hidden_widths(2000, 5000) == (256, 256, 256)
    assert [batch_rows(n) for n in (10, 1000, 7500, 10**6)] == [32, 128, 256, 1024]
    assert dropout_rate(60, 19) == 0.2 and dropout_rate(7500, 60) == dropout_rate(500, 2) == 0
    assert [folds(n) for n in (999, 1000)] == [5, 0]
    assert peak_learning_rate(0) == peak_learning_rate(64) == 0.005
    assert peak_learning_rate(256) == 0.0025
    rates = [peak_learning_rate(256, shortness) / 0.0025 for shortness in (0.1, 1, 4, 100)]
    assert rates == [1, 1, 2, 2]
    for n in (10, 500, 10_000, 10**6):
        n_steps = epochs(n, batch_rows(n)) * np.ceil(n / batch_rows(n))
        assert 300 <= n_steps <= 11_000


def test_a_shorter_schedule_has_a_higher_peak(blobs):
    usual = epochs(len(blobs), batch_rows(len(blobs)))

    def peak(max_iter, **settings):
        model = AutoencoderTransformer(1, max_iter=max_iter, hidden_layer_sizes=(4,), **settings)
        return model._trainer(blobs.shape).learning_rate_init

    assert peak("auto") == peak(usual) == peak(2 * usual) == 0.005
    assert peak(usual // 2) == pytest.approx(0.005 * np.sqrt(usual / (usual // 2)))
    assert peak(0) == peak(1) == 0.01
    assert peak(1, learning_rate_init=0.1) == 0.1 and peak(1, corruption="gaussian") == 0.005


def test_without_refit_the_best_held_out_weights_are_kept(digits):
    settings = {"hidden_layer_sizes": (16,), "max_iter": 9}
    kept = tiny(AutoencoderTransformer, 5, refit=False, **settings).fit(digits)
    again = tiny(AutoencoderTransformer, 5, **settings).fit(digits)
    assert kept.validation_scores_ == again.validation_scores_
    assert len(kept.loss_curve_) == 9 and len(again.loss_curve_) == kept.best_iter_
    assert not np.array_equal(kept.transform(digits), again.transform(digits))


def test_the_start_is_that_of_all_rows_where_training_does_not_help():
    X = np.random.default_rng(0).normal(size=(60, 4))
    for refit in (True, False):
        model = tiny(AutoencoderTransformer, refit=refit, learning_rate_init=1e3).fit(X)
        assert model.best_iter_ == 0
        np.testing.assert_allclose(model.mean_, X.mean(axis=0))
        np.testing.assert_allclose(model.transform(X).mean(axis=0), 0, atol=1e-12)


def waves():
    """Six hundred rows on a surface that three epochs do not suffice for."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(600, 2))
    features = np.hstack([z, np.sin(2 * z), z**2 - 1])
    return features @ rng.normal(size=(6, 8)) + 0.1 * rng.normal(size=(600, 8))


@pytest.mark.parametrize("settings", [{}, {"refit": False}, {"cv": 3}])
def test_the_last_maps_are_solved_where_held_out_rows_gain_by_it(settings, monkeypatch):
    X = waves()

    def fit():
        model = tiny(AutoencoderTransformer, hidden_layer_sizes=(32,), **settings).fit(X[:400])
        return model, model.reconstruction_error(X[400:]).mean()

    solved, error = fit()
    monkeypatch.setattr(_fitting, "ends_in_least_squares", lambda module: False)
    trained, more = fit()
    assert error < 0.95 * more
    assert solved.best_iter_ == trained.best_iter_ > 0
    assert solved.validation_scores_ == trained.validation_scores_  # after epochs, not solutions


def test_last_maps_that_held_out_rows_do_not_gain_by_are_not_taken(monkeypatch):
    honest, X = _fitting.solution, waves()
    others = np.random.default_rng(0).permuted(X, axis=0)
    model = tiny(AutoencoderTransformer, max_iter=10)
    monkeypatch.setattr(
        _fitting, "solution", lambda module, X, *rows, **how: honest(module, others, *rows, **how)
    )
    spoilt = model.fit(X).transform(X), model.inverse_transform(model.transform(X))
    monkeypatch.setattr(_fitting, "ends_in_least_squares", lambda module: False)
    assert model.fit(X).best_iter_ > 0
    np.testing.assert_array_equal(spoilt[0], model.transform(X))
    np.testing.assert_array_equal(spoilt[1], model.inverse_transform(model.transform(X)))


@pytest.mark.parametrize("weights", [None, np.linspace(0.5, 1.5, 20)])
def test_held_out_rows_are_judged_by_the_mean_of_those_learnt_from(weights):
    X = np.random.default_rng(0).normal(size=(20, 3))
    train, test = np.arange(19, 4, -1), np.arange(5)
    fitting = SimpleNamespace(X=X, weights=weights, seed=0)
    fitting._rows = lambda rows, **where: Rows(torch.tensor(X[rows]))
    judge = _fitting.Fitting._judge(fitting, train, test, dtype=torch.float64)
    expected = np.average(X[train], axis=0, weights=None if weights is None else weights[train])
    np.testing.assert_allclose(judge.mean, expected)


@pytest.mark.parametrize(
    ("Estimator", "ends"),
    [
        (AutoencoderTransformer, True),
        (DenoisingAutoencoder, True),
        (VAETransformer, False),  # its noise has a scale
        (SparseAutoencoder, False),  # its atoms have unit length
    ],
)
def test_only_sums_of_squares_are_solved(Estimator, ends, blobs):
    module = tiny(Estimator, max_iter=0).fit(blobs).module_.autoencoder
    assert _fitting.ends_in_least_squares(module) == ends


def test_of_very_many_rows_some_are_enough(monkeypatch):
    seen = []
    monkeypatch.setattr(_solution, "ENOUGH_ROWS", 100)
    monkeypatch.setattr(
        _solution, "with_least_squares", lambda m, batches, rng: seen.extend(batches)
    )
    X, rows = np.arange(700.0).reshape(350, 2), np.arange(0, 350, 2)
    noisy = SimpleNamespace(corruption="some")
    _solution.solution(noisy, X, rows, weights=X[:, 0], batch_size=32, seed=0)
    np.testing.assert_array_equal(torch.cat([x for x, _ in seen]), X[::4])
    np.testing.assert_array_equal(torch.cat([weight for _, weight in seen]), X[::4, 0])
    assert max(len(x) for x, _ in seen) <= 32
