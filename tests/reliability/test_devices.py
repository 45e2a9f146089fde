"""A step leaves nothing on the CPU and never waits for the device.

Both are shown without one: tensors on "meta" have shapes and no numbers, so that to ask for one is
an error, as it is to compute with another device's.
"""

from functools import partial

import numpy as np
import pytest
import torch
from conftest import public_estimators, tiny

from skae import (
    AdversarialAutoencoder,
    DenoisingAutoencoder,
    SparseAutoencoder,
    WassersteinAutoencoder,
)
from skae.nn import Stack, likeness
from skae.training._player import Player
from skae.training._trainer import SOLVERS

WAITS = [SparseAutoencoder]  # a step asks how many atoms are dead
UNKNOWN = [AdversarialAutoencoder, WassersteinAutoencoder]  # switch off autocast, unknown there
ESTIMATORS = [E for E in public_estimators() if E not in WAITS + UNKNOWN]
VARIANTS = [
    {"dropout": 0.1, "normalization": "layer"},
    {"residual": True, "hidden_layer_sizes": (8, 8)},
    {"architecture": "transformer"},
    {"corruption": "swap"},
    {"trim": 0.1},
    {"tied_weights": True},
]


def module_of(Estimator, parameters):
    X = np.random.default_rng(0).normal(size=(40, 6))
    model = tiny(Estimator, max_iter=0, **parameters).fit(X)
    return model.module_.autoencoder.float().to("meta")


def step(module, x):
    """All that happens to a batch, and to rows that are held out."""
    solver = partial(SOLVERS["rmsprop"], lr=0.001, momentum=0.9)
    rng = torch.Generator()
    for weight in (None, torch.ones_like(x)):
        module.train()
        for turn in (turn for phase in module.phases() for turn in phase):
            player = Player(turn, solver, alpha=0.1)
            sum(player.loss(x, rng, weight).values()).sum().backward(inputs=player.parameters)
            assert player.step(0.001, 1.0).is_meta
        with torch.no_grad():
            assert module.eval().error(x, rng, weight).is_meta


@pytest.mark.parametrize(
    ("Estimator", "parameters"),
    [(E, {}) for E in ESTIMATORS] + [(DenoisingAutoencoder, some) for some in VARIANTS],
)
def test_a_step_stays_on_the_device_and_waits_for_nothing(Estimator, parameters):
    module = module_of(Estimator, parameters)
    step(module, torch.empty(16, 6, device="meta"))
    if likeness(module) is not None:
        stack = Stack([module, module, module])
        step(stack, torch.empty(16, 3, 6, device="meta"))


@pytest.mark.parametrize("Estimator", WAITS)
def test_what_waits_is_seen_to_wait(Estimator):
    with pytest.raises(RuntimeError, match=r"item\(\) cannot be called on meta tensors"):
        step(module_of(Estimator, {}), torch.empty(16, 6, device="meta"))
