"""What may stand beside the reconstruction error, and in its place."""

import pickle

import numpy as np
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from torch import nn

import skae
from skae import AutoencoderTransformer, MaskedAutoencoder


def test_training_brings_corruptions_of_a_row_together(blobs):
    settings = {"corruption": "gaussian", "corruption_level": 0.2, "early_stopping": False}
    settings |= {"contrast_weight": 5.0, "temperature": 0.5, "batch_size": 60}
    model = tiny(AutoencoderTransformer, max_iter=60, learning_rate_init=0.02, **settings)
    contrast = model.fit(blobs).history_["contrast"]
    assert contrast[-5:].mean() < contrast[:5].mean() - 0.1


def test_contrast_is_a_term_of_its_own_and_needs_views(blobs):
    settings = {"corruption": "swap", "refit": False}
    model = tiny(AutoencoderTransformer, contrast_weight=0.5, **settings).fit(blobs)
    terms = model.history_["reconstruction"] + model.history_["contrast"]
    assert_allclose(terms, model.history_["loss"])
    zero = tiny(AutoencoderTransformer, contrast_weight=0.0, **settings).fit(blobs)
    assert_array_equal(
        zero.transform(blobs), tiny(AutoencoderTransformer, **settings).fit(blobs).transform(blobs)
    )
    with pytest.raises(ValueError, match=r"contrast_weight=0.5 .* corruption=None"):
        tiny(AutoencoderTransformer, contrast_weight=0.5).fit(blobs)


def test_contrast_goes_with_gaps_and_files(blobs, tmp_path):
    blobs[::3, 1] = np.nan
    model = tiny(MaskedAutoencoder, contrast_weight=0.5, early_stopping=False).fit(blobs)
    assert np.isfinite(model.transform(blobs)).all()
    model.save(tmp_path / "model.safetensors")
    loaded = skae.load(tmp_path / "model.safetensors")
    assert_array_equal(loaded.transform(blobs), model.transform(blobs))


def test_seen_through_the_identity_nothing_changes(blobs):
    X = 100 + 20 * blobs
    X[::4, 2] = np.nan
    fits = [
        tiny(AutoencoderTransformer, perceptual=module, max_iter=9, early_stopping=False).fit(X)
        for module in (None, nn.Identity())
    ]
    assert_allclose(*(model.loss_curve_ for model in fits), rtol=1e-4)
    assert_allclose(*(model.transform(X) for model in fits), rtol=1e-2, atol=1e-2)


def test_what_the_module_does_not_see_is_not_learnt(blobs):
    """Of four features it looks at two, and all of the code goes there."""
    eye = nn.Linear(4, 2, bias=False)
    eye.weight.data.copy_(torch.eye(4)[2:])
    settings = {"max_iter": 100, "early_stopping": False, "init": "random", "batch_size": 16}
    model = tiny(AutoencoderTransformer, perceptual=eye, **settings).fit(blobs)
    error = np.square(blobs - model.inverse_transform(model.transform(blobs))).mean(axis=0)
    share = error / blobs.var(axis=0)
    assert (share[2:] < 0.25).all() and (share[:2] > share[2:].max()).all()
    loaded = pickle.loads(pickle.dumps(model))
    assert_array_equal(loaded.transform(blobs), model.transform(blobs))
    assert torch.equal(eye.weight, torch.eye(4)[2:])
    with pytest.raises(TypeError, match="pickle"):
        model.save("nowhere")
