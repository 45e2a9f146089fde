"""Memory that runs out, and memory that is given back."""

import gc
from pathlib import Path

import children
import numpy as np
import psutil
import pytest
import torch
from conftest import fitted, public_estimators, tiny
from numpy.testing import assert_allclose, assert_array_equal

from skae import AutoencoderTransformer, SparseAutoencoder, VAETransformer
from skae.nn import Canonical
from skae.training import HeldOut, _batches

ERRORS = {
    "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB."),
    "cpu": RuntimeError(
        "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"
    ),
}


def allow_rows(monkeypatch, Class, method, n_rows, error="cuda"):
    """Let a method run out of memory where it is given more rows; the sizes that it is given."""
    sizes, function = [], getattr(Class, method)

    def limited(module, x, *args, **kwargs):
        sizes.append(len(x))
        y = function(module, x, *args, **kwargs)
        if len(x) > n_rows:
            raise ERRORS[error]
        return y

    monkeypatch.setattr(Class, method, limited)
    return sizes


def exact(Estimator, **settings):
    """An estimator whose training draws nothing for single rows."""
    fixed = {"batch_size": 32, "dropout": 0.0, "early_stopping": False, "learning_rate_init": 0.01}
    return tiny(Estimator, **fixed | settings)


@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("Estimator", [AutoencoderTransformer, SparseAutoencoder])
def test_steps_are_the_same_in_parts(Estimator, error, blobs, monkeypatch):
    """The gradient of a mean is the mean of the parts' gradients, weighted by their rows."""
    expected = exact(Estimator).fit(blobs)
    sizes = allow_rows(monkeypatch, Estimator._module, "loss", 8, error)
    with pytest.warns(RuntimeWarning, match="memory for 32 rows.*going on with fewer") as caught:
        model = exact(Estimator).fit(blobs)
    assert len(caught) == 1
    assert sizes[:6] == [30, 15, 8, 8, 7, 7] and set(sizes[6:]) == {8, 7}
    assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-5)
    assert_allclose(model.transform(blobs), expected.transform(blobs), atol=1e-5)


def test_parts_are_weighted_by_their_rows(blobs, monkeypatch):
    """23 rows in 4 parts of 6 and 5 (by SGD: at the start Adam would follow the rounding)."""
    settings = {"batch_size": 23, "solver": "sgd"}
    expected = exact(AutoencoderTransformer, **settings).fit(blobs[:23])
    sizes = allow_rows(monkeypatch, AutoencoderTransformer._module, "loss", 6)
    with pytest.warns(RuntimeWarning, match="Gradients are added up"):
        model = exact(AutoencoderTransformer, **settings).fit(blobs[:23])
    assert sorted(sizes[-4:]) == [5, 6, 6, 6]
    assert_allclose(model.transform(blobs), expected.transform(blobs), atol=1e-5)


def test_a_part_that_fails_after_others_leaves_no_gradient_behind(blobs, monkeypatch):
    expected = exact(AutoencoderTransformer, solver="sgd").fit(blobs)
    calls, loss = [], AutoencoderTransformer._module.loss

    def fails_twice(module, x, rng, weight):
        calls.append(len(x))
        if len(calls) in (1, 3):  # the whole batch, and the second of two parts
            raise ERRORS["cuda"]
        return loss(module, x, rng, weight)

    monkeypatch.setattr(AutoencoderTransformer._module, "loss", fails_twice)
    with pytest.warns(RuntimeWarning):
        model = exact(AutoencoderTransformer, solver="sgd").fit(blobs)
    assert calls[:7] == [30, 15, 15, 8, 8, 7, 7]
    assert_allclose(model.transform(blobs), expected.transform(blobs), atol=1e-5)


@pytest.mark.parametrize(
    ("Estimator", "settings"),
    [
        (AutoencoderTransformer, {"normalization": "batch"}),
        (AutoencoderTransformer, {"corruption": "swap"}),
        (AutoencoderTransformer, {"trim": 0.1}),
        (SparseAutoencoder, {"sparsity": "kl"}),
        (VAETransformer, {"free_bits": 0.1}),
    ],
)
def test_a_loss_that_couples_rows_says_that_parts_differ(Estimator, settings, blobs, monkeypatch):
    sizes = allow_rows(monkeypatch, Estimator._module, "loss", 7)
    with pytest.warns(RuntimeWarning, match="couples the rows of a batch.*batch_size"):
        model = exact(Estimator, **settings).fit(blobs)
    assert min(sizes) > 1 and np.isfinite(model.transform(blobs)).all()


def test_what_does_not_fit_at_all_is_an_error_with_a_way_out(blobs, monkeypatch):
    allow_rows(monkeypatch, AutoencoderTransformer._module, "loss", 0)
    with pytest.raises(torch.OutOfMemoryError) as caught, pytest.warns(RuntimeWarning):
        exact(AutoencoderTransformer).fit(blobs)
    assert "pass device='cpu'" in caught.value.__notes__[0]


def test_other_errors_are_not_taken_for_a_lack_of_memory(blobs, monkeypatch):
    monkeypatch.setitem(ERRORS, "other", RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    sizes = allow_rows(monkeypatch, AutoencoderTransformer._module, "loss", 7, "other")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        exact(AutoencoderTransformer).fit(blobs)
    assert sizes == [30]


def test_held_out_rows_are_judged_in_parts(blobs, monkeypatch):
    expected = exact(AutoencoderTransformer, early_stopping=True).fit(blobs)
    sizes = allow_rows(monkeypatch, AutoencoderTransformer._module, "reconstruction_error", 3)
    allow_rows(monkeypatch, AutoencoderTransformer._module, "error", 3)
    monkeypatch.setattr(HeldOut.__init__, "__defaults__", (0,))
    with pytest.warns(RuntimeWarning, match="results stay the same"):
        model = exact(AutoencoderTransformer, early_stopping=True).fit(blobs)
    assert min(sizes) <= 3
    assert_allclose(model.validation_scores_, expected.validation_scores_, rtol=1e-6)


@pytest.mark.parametrize("Estimator", public_estimators())
def test_rows_are_transformed_in_parts(Estimator, blobs, monkeypatch):
    model = fitted(Estimator)
    expected = model.score_samples(blobs), model.inverse_transform(model.transform(blobs))
    sizes = allow_rows(monkeypatch, type(model.module_), "standardize", 7)
    with pytest.warns(RuntimeWarning, match="going on with fewer"):
        scores = model.score_samples(blobs)
    with pytest.warns(RuntimeWarning, match="going on with fewer"):
        Z = model.transform(blobs)
    assert max(sizes) > 7 and min(sizes) <= 7
    assert_allclose(scores, expected[0])
    assert_allclose(model.inverse_transform(Z), expected[1])


def test_a_table_that_is_transformed_takes_the_memory_of_a_chunk(monkeypatch):
    """Beyond the result: the largest piece that torch sees is a chunk."""
    monkeypatch.setattr(_batches, "CHUNK", 1000)
    X = np.random.default_rng(0).normal(size=(2000, 12))
    model = tiny(AutoencoderTransformer, 6).fit(X)
    whole = model.score_samples(X)
    sizes = allow_rows(monkeypatch, Canonical, "standardize", 10**9)
    assert_array_equal(model.score_samples(X), whole)
    assert max(sizes) == 1000 // model.module_.density.width < 1000 // 12


def test_many_fits_leave_memory_as_it_was(blobs):
    process, rows = psutil.Process(), blobs[:15]

    def fit(n_times):
        for i in range(n_times):
            settings = {"max_iter": 1, "hidden_layer_sizes": (64,), "cv": 2 if i % 2 else None}
            for Estimator in public_estimators():
                tiny(Estimator, **settings).fit(rows).transform(blobs)
        gc.collect()
        return process.memory_info().rss

    before = fit(2)
    assert fit(5) - before < 2**20  # 16 kB a fit; their networks take a hundred


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="tells memory by files apart")
def test_a_mapped_file_is_never_in_memory_as_a_whole(tmp_path):
    X = np.lib.format.open_memmap(
        tmp_path / "x.npy", mode="w+", dtype=np.float32, shape=(800_000, 24)
    )
    for start in range(0, len(X), 100_000):
        X[start : start + 100_000] = np.random.default_rng(start).normal(size=(100_000, 24))
    X.flush()
    with children.child(children.mapped, tmp_path / "x.npy") as (_, connection):
        grown, n_rows = children.told(connection)
    assert n_rows == 800_000
    assert grown < 0.5 * X.nbytes
