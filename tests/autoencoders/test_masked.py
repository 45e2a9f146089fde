"""The masked autoencoder: gaps are told to the encoder, and filled in."""

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

from skae import DenoisingAutoencoder, MaskedAutoencoder

HIDE = {"corruption": "masking_mean", "corruption_level": 0.3}


@pytest.fixture
def xor():
    """A sign that is the product of two others: a hidden one is told by the rest, at no level."""
    rng = np.random.default_rng(0)
    signs = rng.choice([-1.0, 1.0], size=(800, 2))
    return np.column_stack([signs, signs.prod(axis=1)]) + 0.05 * rng.normal(size=(800, 3))


def test_predicts_cells_that_no_linear_map_can(xor):
    settings = {"corruption_level": 0.33, "hidden_layer_sizes": (32,), "dropout": 0.0}
    model = tiny(MaskedAutoencoder, 3, max_iter=60, refit=False, **settings).fit(xor[:600])
    rows = xor[600:].copy()
    rows[np.arange(200), np.arange(200) % 3] = np.nan
    hidden = np.isnan(rows)
    error = np.square(model.impute(rows) - xor[600:])[hidden].mean()
    assert error < 0.1 * np.square(xor[600:])[hidden].mean()
    assert_array_equal(model.impute(rows)[~hidden], xor[600:][~hidden])


def test_starts_where_the_denoiser_starts(blobs):
    model = tiny(MaskedAutoencoder, max_iter=0, **HIDE).fit(blobs)
    denoiser = tiny(DenoisingAutoencoder, max_iter=0, emphasis=1.0, **HIDE).fit(blobs)
    assert_allclose(model.inverse_transform(model.transform(blobs)), denoiser.denoise(blobs))
    rows = blobs.copy()
    rows[::2, 1] = rows[::3, 3] = np.nan
    expected = np.where(np.isnan(rows), denoiser.denoise(rows), rows)
    assert_allclose(model.impute(rows), expected)


def test_tells_a_gap_from_a_cell_at_the_mean(blobs):
    model = tiny(MaskedAutoencoder, max_iter=20, early_stopping=False).fit(blobs)
    gap, mean = blobs[:5].copy(), blobs[:5].copy()
    gap[:, 2], mean[:, 2] = np.nan, model.mean_[2]
    assert np.abs(model.transform(gap) - model.transform(mean)).max() > 1e-3
    start = tiny(MaskedAutoencoder, max_iter=0).fit(blobs)
    assert_allclose(start.transform(gap), start.transform(mean))


def test_without_hiding_it_is_the_denoising_autoencoder(blobs):
    """As long as nothing is missing: what is told of gaps has no gradient."""
    for corruption in (None, "gaussian", "swap"):
        settings = {"corruption": corruption, "corruption_level": 0.3, "emphasis": 0.5}
        fits = [
            tiny(cls, early_stopping=False, **settings).fit(blobs).transform(blobs)
            for cls in (MaskedAutoencoder, DenoisingAutoencoder)
        ]
        assert_allclose(*fits, rtol=1e-6)


def test_learns_from_rows_with_gaps(blobs):
    rng = np.random.default_rng(0)
    blobs[rng.random(blobs.shape) < 0.2] = np.nan
    model = tiny(MaskedAutoencoder, early_stopping=False).fit(blobs)
    whole = model.impute(blobs)
    assert np.isfinite(whole).all() and whole.dtype == np.float64
    assert_array_equal(whole[~np.isnan(blobs)], blobs[~np.isnan(blobs)])
    assert model.impute(blobs.astype(np.float32)).dtype == np.float32


def test_imputes_rows_like_those_of_fit_alone(blobs):
    with pytest.raises(NotFittedError):
        tiny(MaskedAutoencoder).impute(blobs)
    model = tiny(MaskedAutoencoder).fit(blobs)
    with pytest.raises(ValueError, match="expecting 4"):
        model.impute(blobs[:, :3])
    with pytest.raises(ValueError, match="infinity"):
        model.impute(np.full((1, 4), np.inf))
