"""A fit that fails is no loss."""

import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import public_estimators, tiny
from numpy.testing import assert_array_equal

from skae import AutoencoderTransformer, TabularAutoencoder
from skae.training import Trainer


def fails(call, *arguments):
    with warnings.catch_warnings(), pytest.raises(ValueError):
        warnings.simplefilter("ignore")
        call(*arguments)


@pytest.mark.parametrize("Estimator", public_estimators())
def test_a_fit_that_fails_leaves_the_estimator_as_it_was(Estimator, blobs):
    frame = pd.DataFrame(blobs, columns=[*"abcd"])
    model = tiny(Estimator).fit(frame)
    before, scores = dict(vars(model)), model.score_samples(frame)
    infinite = pd.DataFrame(np.full((20, 3), np.inf), columns=[*"xyz"])
    for call in (model.fit, model.partial_fit):
        fails(call, infinite)
        assert vars(model) == before
    assert_array_equal(model.score_samples(frame), scores)


def test_nor_does_one_that_fails_in_the_middle(blobs, monkeypatch):
    """Columns are known before training."""
    frame = pd.DataFrame(blobs, columns=[*"abcd"])
    model = tiny(TabularAutoencoder).fit(frame.assign(kind=["a", "b"] * 30))
    before = dict(vars(model))

    def fail(*args, **settings):
        raise ValueError("no")

    monkeypatch.setattr(Trainer, "run", fail)
    for call in (model.fit, model.partial_fit):
        fails(call, frame.assign(kind=["b", "d"] * 30))
        assert vars(model) == before


def test_an_estimator_that_was_never_fitted_stays_so(blobs):
    model = tiny(AutoencoderTransformer, n_components=99)
    fails(model.fit, blobs)
    assert vars(model) == vars(tiny(AutoencoderTransformer, n_components=99))
