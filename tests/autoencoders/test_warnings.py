"""Components that say nothing are told of; those of PCA, of exact codes and of noise are not."""

import numpy as np
import pytest
from conftest import tiny
from sklearn.exceptions import ConvergenceWarning

from skae import AutoencoderTransformer, DenoisingAutoencoder, SparseAutoencoder


def test_collapse_names_how_many_of_how_many(digits):
    model = tiny(AutoencoderTransformer, 40, init="random", early_stopping=False)
    with pytest.warns(
        ConvergenceWarning, match=r"Collapse: \d+ of 40 components drive.*init='pca'"
    ):
        model.fit(digits[:300])


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_pca_never_collapses(scale, blobs):
    """Each component drives more than a left-out dimension, whatever the columns' units."""
    for k in (1, 2, 3):
        AutoencoderTransformer(k, max_iter=0).fit(blobs * [1, 1, scale, 1])


def test_a_code_that_says_all_there_is_has_components_to_spare(blobs):
    AutoencoderTransformer(4, max_iter=0).fit(np.hstack([blobs[:, :2], blobs[:, :3]]))
    AutoencoderTransformer(2, max_iter=0).fit(np.ones((20, 3)))
    distinct = np.eye(20)[np.arange(60) % 3]  # which three atoms say exactly
    SparseAutoencoder(12, n_nonzero_coefs=1, max_iter=0, random_state=0).fit(distinct)


def test_components_that_noise_drowns_are_no_collapse():
    X = np.random.default_rng(0).normal(size=(200, 4)) * [9, 1, 0.1, 0.1]
    DenoisingAutoencoder(3, corruption_level=5.0, max_iter=0).fit(X)


def test_dead_components_are_told_of_if_they_are_most(digits):
    model = SparseAutoencoder(300, n_nonzero_coefs=1, init="random", max_iter=0, random_state=0)
    with pytest.warns(ConvergenceWarning, match=r"Dead components: \d+ of 300 components are used"):
        model.fit(digits[:60])
