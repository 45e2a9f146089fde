"""A fit neither depends on what torch is set to nor leaves a trace outside the estimator."""

import random

import numpy as np
import pytest
import torch
from conftest import public_estimators, tiny
from numpy.testing import assert_array_equal
from torch import nn

AUTOENCODERS = public_estimators()

AMBIENT = {
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "default device": lambda: torch.device("meta"),
}


def global_states():
    """Of all generators that a fit could touch, and of torch's threads."""
    _, key, *rest = np.random.get_state()
    torch_state = torch.get_rng_state().numpy().tolist()
    return random.getstate(), key.tolist(), rest, torch_state, torch.get_num_threads()


@pytest.mark.parametrize("Estimator", AUTOENCODERS)
class TestEveryAutoencoder:
    @pytest.mark.parametrize("context", AMBIENT)
    def test_computes_the_same_whatever_torch_is_set_to(self, Estimator, context, blobs):
        plain = tiny(Estimator, corruption="swap").fit(blobs)
        with AMBIENT[context]():
            model = tiny(Estimator, corruption="swap").fit(blobs)
            Z, scores = model.transform(blobs), model.score_samples(blobs)
        assert_array_equal(Z, plain.transform(blobs))
        assert_array_equal(scores, plain.score_samples(blobs))
        assert not any(w.is_inference() for w in model.module_.state_dict().values())

    @pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
    def test_computes_the_same_whatever_the_default_dtype(self, Estimator, dtype, blobs):
        expected = tiny(Estimator, normalization="layer", dropout=0.2).fit(blobs).transform(blobs)
        before = torch.get_default_dtype()
        torch.set_default_dtype(dtype)
        try:
            model = tiny(Estimator, normalization="layer", dropout=0.2).fit(blobs)
            assert_array_equal(model.transform(blobs), expected)
        finally:
            torch.set_default_dtype(before)

    def test_computes_the_same_where_torch_must_be_deterministic(self, Estimator, blobs):
        expected = tiny(Estimator).fit(blobs).transform(blobs)
        torch.use_deterministic_algorithms(True)
        try:
            assert_array_equal(tiny(Estimator).fit(blobs).transform(blobs), expected)
        finally:
            torch.use_deterministic_algorithms(False)

    def test_leaves_the_global_generators_alone(self, Estimator, blobs):
        before = global_states()
        n_outputs = 4 if Estimator.__name__ == "VAETransformer" else 2
        encoder = nn.Sequential(nn.Linear(4, n_outputs), nn.Dropout(0.5))
        between = global_states()
        assert between[-2] != before[-2], "making a layer is what draws here"
        for settings in ({"corruption": "swap", "dropout": 0.2}, {"encoder": encoder}):
            own = {"sparsity": "l1"} if "sparsity" in Estimator._parameter_constraints else {}
            model = tiny(Estimator, **own, **settings)
            model.inverse_transform(model.fit(blobs).transform(blobs))
            model.score(blobs)
        assert global_states() == between
