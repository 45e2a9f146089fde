"""Signals, forks, workers and threads."""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import children
import numpy as np
import pytest
import torch
from conftest import fitted, public_estimators, tiny
from joblib import Parallel, delayed, parallel_config
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from skae import AutoencoderTransformer

AUTOENCODERS = public_estimators()


@pytest.mark.parametrize(
    "parameters", [{"early_stopping": False}, {}, {"cv": 5}, {"refit": False}], ids=str
)
def test_ctrl_c_leaves_a_fitted_estimator_and_says_so(parameters, blobs):
    with children.child(children.interrupted, blobs, parameters) as (process, connection):
        assert children.told(connection) == "training"
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGINT)
        sentences, model = children.told(connection)
    assert len(sentences) == 1
    assert "interrupted after" in sentences[0] and "best weights so far are kept" in sentences[0]
    assert 1 < model.n_iter_ < 10**6
    assert np.isfinite(model.inverse_transform(model.transform(blobs))).all()
    assert np.isfinite(model.score(blobs))


def test_ctrl_c_while_a_width_is_sought_ends_the_fit(blobs):
    parameters = {"n_components": 0.9}
    with children.child(children.interrupted, blobs, parameters) as (process, connection):
        assert children.told(connection) == "training"
        os.kill(process.pid, signal.SIGINT)
        process.join(children.SECONDS)
        assert process.exitcode == 1


@pytest.mark.parametrize(
    "parameters",
    [
        {"cv": 3, "dropout": 0.2, "corruption": "swap"},  # three runs, then one on all rows
        {"n_components": 0.9, "early_stopping": False, "solver": "sgd"},
    ],
    ids=str,
)
def test_a_killed_fit_ends_with_the_same_bits(parameters, blobs, tmp_path):
    parameters = {"max_iter": 5, "learning_rate_init": 0.02} | parameters
    path = tmp_path / "another"
    uninterrupted = tiny(AutoencoderTransformer, checkpoint=path, **parameters).fit(blobs)
    parameters |= {"checkpoint": str(tmp_path / "fit")}
    for n_epochs in (3, 2, 6):  # the second dies at its start, the third in another run
        with children.child(children.killed_after, n_epochs, blobs, parameters) as (process, _):
            process.join(children.SECONDS)
            assert process.exitcode == -signal.SIGKILL
        assert (tmp_path / "fit").stat().st_size > 0
    resumed = tiny(AutoencoderTransformer, **parameters).fit(blobs)
    assert list(tmp_path.iterdir()) == []
    assert resumed.loss_curve_ == uninterrupted.loss_curve_
    assert resumed.validation_scores_ == uninterrupted.validation_scores_
    for name, weight in uninterrupted.module_.state_dict().items():
        assert torch.equal(resumed.module_.state_dict()[name], weight)


def test_two_processes_do_not_share_a_checkpoint(blobs, tmp_path):
    model = tiny(AutoencoderTransformer, checkpoint=tmp_path / "fit")
    with children.child(children.holds, tmp_path / "fit") as (process, connection):
        assert children.told(connection) == "holding"
        with pytest.raises(RuntimeError, match=r"Another fit is writing checkpoint=.*of its own"):
            model.fit(blobs)
        process.kill()  # the lock dies with its holder
        process.join()
    model.fit(blobs)


def test_a_forked_child_does_not_wait_for_its_parents_threads():
    X = np.random.default_rng(0).normal(size=(3000, 40))
    with children.child(children.forked_after_training, X) as (_, connection):
        grandchild = children.told(connection)
        try:
            assert children.told(connection) == b"the same"
        except AssertionError:
            os.kill(grandchild, signal.SIGKILL)
            raise


def test_workers_of_joblib_compute_the_same(blobs):
    """Of loky, which GridSearchCV(n_jobs=...) takes; each fit crosses twice."""
    search = GridSearchCV(tiny(AutoencoderTransformer), {"n_components": [1, 2]}, cv=2)
    expected = search.fit(blobs).cv_results_["mean_test_score"]
    with parallel_config("loky", n_jobs=2):  # its workers stay for what follows
        assert_array_equal(search.fit(blobs).cv_results_["mean_test_score"], expected)
        models = (fitted(Estimator) for Estimator in AUTOENCODERS)
        theirs = Parallel()(delayed(lambda m: clone(m).fit(blobs))(m) for m in models)
    for Estimator, model in zip(AUTOENCODERS, theirs, strict=True):
        assert_array_equal(model.score_samples(blobs), fitted(Estimator).score_samples(blobs))


@pytest.mark.parametrize("Estimator", AUTOENCODERS)
class TestThreads:
    def test_share_an_estimator(self, Estimator, blobs):
        model = fitted(Estimator)
        parts = np.array_split(np.tile(blobs, (4, 1)), 16)
        parts[::2] = [part.astype(np.float32) for part in parts[::2]]  # computed in float32
        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(model.transform, parts))
            scores = list(pool.map(model.score_samples, parts))
        assert all(w.dtype.itemsize == 8 for w in model.module_.state_dict().values())
        for part, Z, score in zip(parts, codes, scores, strict=True):
            assert_array_equal(Z, model.transform(part), strict=True)
            assert_array_equal(score, model.score_samples(part))

    def test_fit_side_by_side(self, Estimator, blobs):
        plain = {"early_stopping": False}

        def codes(seed):
            model = tiny(Estimator, random_state=seed, dropout=0.2, corruption="swap", **plain)
            return model.fit(blobs).transform(blobs)

        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(codes, range(4)))
        for seed, Z in enumerate(together):
            assert_array_equal(Z, codes(seed))
