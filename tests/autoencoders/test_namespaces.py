"""Tensors in, tensors out; what scikit-learn's own checks do not ask."""

import pickle

import numpy as np
import pytest
import torch
from conftest import fitted, public_estimators, tiny
from numpy.testing import assert_array_equal
from sklearn import config_context
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils._array_api import get_namespace_and_device, move_estimator_to

from skae import AutoencoderTransformer, DenoisingAutoencoder, VAETransformer
from skae.outliers import AutoencoderOutlierDetector
from skae.training import _batches

FOLLOWING = [
    Estimator
    for Estimator in public_estimators()
    if Estimator().__sklearn_tags__().array_api_support
]


@pytest.fixture
def dispatch():
    with config_context(array_api_dispatch=True):
        yield


def assert_same(tensor, array):
    assert isinstance(tensor, torch.Tensor)
    assert_array_equal(tensor.numpy(), array)


@pytest.mark.parametrize("Estimator", FOLLOWING)
def test_tensors_give_the_numbers_of_arrays(Estimator, blobs, dispatch):
    arrays, tensors = fitted(Estimator), tiny(Estimator).fit(torch.from_numpy(blobs))
    X = torch.from_numpy(blobs)
    assert_same(tensors.mean_, arrays.mean_)
    for method in ("transform", "score_samples", "explain", "reconstruction_error"):
        assert_same(getattr(tensors, method)(X), getattr(arrays, method)(blobs))
    Z = arrays.transform(blobs)
    assert_same(tensors.inverse_transform(torch.from_numpy(Z)), arrays.inverse_transform(Z))
    assert tensors.score(X) == arrays.score(blobs)


def test_results_do_not_pass_through_numpy(blobs, dispatch, monkeypatch):
    X = torch.from_numpy(blobs)
    model = tiny(AutoencoderTransformer).fit(X)
    monkeypatch.setattr(_batches, "to_numpy", None)
    assert model.inverse_transform(model.transform(X)).shape == X.shape


def test_what_a_variant_adds_follows(blobs, dispatch):
    X, gap = torch.from_numpy(blobs), torch.from_numpy(blobs).clone()
    gap[0, 0] = torch.nan
    vae = tiny(VAETransformer).fit(X)
    assert all(isinstance(part, torch.Tensor) for part in vae.transform(X, return_std=True))
    assert isinstance(vae.sample_posterior(X), torch.Tensor)
    assert isinstance(vae.sample(3), torch.Tensor)
    denoiser = tiny(DenoisingAutoencoder).fit(gap)
    same = tiny(DenoisingAutoencoder).fit(gap.numpy())
    assert_same(denoiser.denoise(gap, n_passes=2), same.denoise(gap.numpy(), n_passes=2))
    assert isinstance(denoiser.partial_fit(X).mean_, torch.Tensor)


def test_weights_follow_the_rows(blobs, dispatch):
    weights = np.linspace(0.5, 1.5, len(blobs))
    arrays = tiny(AutoencoderTransformer).fit(blobs, sample_weight=weights)
    tensors = tiny(AutoencoderTransformer).fit(
        torch.from_numpy(blobs), sample_weight=torch.from_numpy(weights)
    )
    assert_same(tensors.mean_, arrays.mean_)


def test_pipelines_of_tensors(blobs, dispatch):
    X = torch.from_numpy(blobs)
    model = make_pipeline(StandardScaler(), tiny(AutoencoderTransformer), Ridge(solver="svd"))
    assert isinstance(model.fit(X, X[:, 0]).predict(X), torch.Tensor)


def test_a_pickle_of_tensors_holds_arrays_and_moves_back(blobs, dispatch):
    X = torch.from_numpy(blobs)
    model = tiny(AutoencoderTransformer).fit(X)
    stored = pickle.dumps(model)
    assert b"torch" not in stored
    loaded = pickle.loads(stored)
    assert_array_equal(loaded.transform(blobs), model.transform(X))
    with pytest.raises(ValueError, match="must use the same namespace"):
        loaded.transform(X)
    xp, _, device = get_namespace_and_device(X)
    moved = move_estimator_to(loaded, xp, device)
    assert_same(moved.transform(X), loaded.transform(blobs))


def test_the_detector_takes_tensors(blobs, dispatch):
    detector = AutoencoderOutlierDetector(tiny(AutoencoderTransformer))
    X, expected = torch.from_numpy(blobs), detector.fit(blobs).decision_function(blobs)
    assert_array_equal(detector.fit(X).decision_function(X), expected)
    assert set(detector.predict(X)) == {-1, 1}


def test_without_dispatch_tensors_give_arrays(blobs):
    model = tiny(AutoencoderTransformer).fit(torch.from_numpy(blobs))
    assert isinstance(model.transform(torch.from_numpy(blobs)), np.ndarray)


def test_tensors_elsewhere_need_dispatch(blobs):
    elsewhere = torch.empty(blobs.shape, device="meta")
    with pytest.raises(TypeError, match="array_api_dispatch=True"):
        AutoencoderTransformer().fit(elsewhere)
    with pytest.raises(TypeError, match=r"'meta'.*X\.cpu\(\)"):
        tiny(AutoencoderTransformer).fit(blobs).transform(elsewhere)
