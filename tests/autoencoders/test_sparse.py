"""The sparse autoencoder: dictionaries that are known, and pursuits that scikit-learn can check."""

import numpy as np
import pytest
import scipy.sparse as sp
from conftest import tiny
from numpy.testing import assert_allclose
from sklearn.datasets import make_sparse_coded_signal
from sklearn.decomposition import SparseCoder

from skae import SparseAutoencoder
from skae.nn import SPARSITIES
from skae.nn._sparse import REVIVAL


@pytest.fixture(scope="module")
def signal():
    """Rows that use 3 of 30 atoms in 20 dimensions, and the atoms."""
    X, dictionary, _ = make_sparse_coded_signal(
        n_samples=2000, n_components=30, n_features=20, n_nonzero_coefs=3, random_state=0
    )
    return X, dictionary


def cosine(found, true):
    """Mean over true atoms of the largest cosine to one that was found; a sign is no matter."""
    return np.abs(true @ found.T).max(axis=1).mean()


@pytest.mark.parametrize("sparsity", ["pursuit", "top_k"])
def test_finds_the_dictionary_that_the_data_were_made_from(signal, sparsity):
    X, dictionary = signal
    model = SparseAutoencoder(
        40, sparsity=sparsity, n_nonzero_coefs=3, max_iter=40, early_stopping=False, random_state=0
    ).fit(X)
    start = SparseAutoencoder(40, n_nonzero_coefs=3, max_iter=0, random_state=0).fit(X)
    assert cosine(model.components_, dictionary) > (0.95 if sparsity == "pursuit" else 0.9)
    assert cosine(start.components_, dictionary) < 0.85


def test_a_pursuit_is_orthogonal_matching_pursuit(signal):
    X = signal[0][:300]
    model = SparseAutoencoder(30, n_nonzero_coefs=4, max_iter=2, random_state=0).fit(X)
    offset = model.inverse_transform(np.zeros((1, 30)))
    coder = SparseCoder(model.components_, transform_algorithm="omp", transform_n_nonzero_coefs=4)
    assert_allclose(model.transform(X), coder.transform(X - offset), atol=1e-8)


def test_fewer_rounds_choose_several_atoms_at_once(signal):
    X = signal[0]
    errors = []
    for n_readings in (6, 3, 1):
        model = SparseAutoencoder(
            30, n_nonzero_coefs=6, n_readings=n_readings, max_iter=0, random_state=0
        ).fit(X)
        assert ((model.transform(X) != 0).sum(axis=1) == 6).all()
        errors.append(((X - model.inverse_transform(model.transform(X))) ** 2).sum())
    assert errors[0] < errors[1] < errors[2]


@pytest.mark.parametrize("positive_code", [False, True])
@pytest.mark.parametrize("sparsity", SPARSITIES)
def test_every_sparsity_reconstructs_and_reads_zeros(signal, sparsity, positive_code):
    X = signal[0][:1000]
    model = SparseAutoencoder(
        30,
        sparsity=sparsity,
        n_nonzero_coefs=5,
        positive_code=positive_code,
        max_iter=15,
        early_stopping=False,
        random_state=0,
    ).fit(X)
    Z = model.transform(X)
    error = ((X - model.inverse_transform(Z)) ** 2).sum()
    assert error < 0.8 * ((X - X.mean(axis=0)) ** 2).sum()
    active = (Z != 0).sum(axis=1)
    if sparsity in ("pursuit", "top_k"):
        assert active.max() == 5
    if sparsity == "batch_top_k":
        assert 4 < active.mean() < 6 and active.std() > 0
    if positive_code or sparsity == "kl":
        assert Z.min() >= 0
    else:
        assert Z.min() < 0


@pytest.mark.parametrize("sparsity", ["l1", "jump_relu"])
def test_a_higher_charge_makes_fewer_active(signal, sparsity):
    active = [
        (
            tiny(
                SparseAutoencoder, 30, sparsity=sparsity, sparsity_weight=weight, max_iter=15
            ).fit_transform(signal[0][:1000])
            != 0
        ).mean()
        for weight in (0.01, 1.0)
    ]
    assert active[0] > active[1] > 0


def test_kl_draws_the_mean_activation_to_its_target(signal):
    means = []
    for target in (0.05, 0.3):
        model = SparseAutoencoder(
            10,
            sparsity="kl",
            target_activation=target,
            sparsity_weight=10.0,
            max_iter=20,
            early_stopping=False,
            random_state=0,
        ).fit(signal[0])
        Z = model.transform(signal[0])
        module = model.module_
        full = module.scale * module.autoencoder.log_threshold.detach().exp()
        means.append((Z / full[module.code_map.order].numpy()).mean())
    assert_allclose(means, [0.05, 0.3], atol=0.05)


def test_atoms_have_unit_norm_and_rebuild_the_rows(signal):
    X = signal[0]
    model = tiny(SparseAutoencoder, 30, n_nonzero_coefs=3).fit(X)
    assert_allclose(np.linalg.norm(model.components_, axis=1), 1)
    Z = model.transform(X)
    offset = model.inverse_transform(np.zeros((1, 30)))
    assert_allclose(model.inverse_transform(Z), Z @ model.components_ + offset)


def test_counts_what_is_active_and_what_is_dead(signal):
    X = signal[0]
    model = SparseAutoencoder(200, n_nonzero_coefs=2, max_iter=0, random_state=0).fit(X[:50])
    used = (model.transform(X[:50]) != 0).mean(axis=0)
    assert_allclose(model.activation_density_, used)
    assert model.dead_components_.sum() == (used == 0).sum() > 0


def test_dead_atoms_come_back_to_life(signal, monkeypatch):
    """Seven times as many atoms as the rows were made of: without help most are never read."""
    dead = []
    for weight in (0.0, REVIVAL):
        monkeypatch.setattr("skae.nn._sparse.REVIVAL", weight)
        model = SparseAutoencoder(
            200,
            sparsity="top_k",
            n_nonzero_coefs=2,
            init="random",
            max_iter=40,
            early_stopping=False,
            random_state=0,
        )
        dead.append(model.fit(signal[0]).dead_components_.mean())
    assert dead[0] > 0.3 and dead[1] < 0.05


def test_codes_come_and_go_as_a_sparse_matrix(signal):
    X = signal[0]
    dense = tiny(SparseAutoencoder, 30, n_nonzero_coefs=3).fit(X)
    sparse = tiny(SparseAutoencoder, 30, n_nonzero_coefs=3, sparse_output=True).fit(X)
    Z = sparse.transform(X)
    assert sp.issparse(Z) and Z.format == "csr" and Z.nnz == 3 * len(X)
    assert_allclose(Z.toarray(), dense.transform(X))
    assert_allclose(sparse.inverse_transform(Z), dense.inverse_transform(Z.toarray()))


def test_rows_of_the_dictionary_are_more_normal_than_others(signal):
    X = signal[0]
    model = SparseAutoencoder(40, n_nonzero_coefs=3, max_iter=30, cv=None, random_state=0)
    model.fit(X[:1500])
    others = np.random.default_rng(0).permuted(X[1500:], axis=0)
    assert np.median(model.score_samples(X[1500:])) > np.median(model.score_samples(others)) + 10


def test_without_components_there_are_as_many_as_features(signal):
    assert tiny(SparseAutoencoder, None).fit(signal[0]).n_components_ == 20


def test_refuses_what_cannot_be(signal):
    X = signal[0]
    with pytest.raises(ValueError, match="n_nonzero_coefs=5 is more than n_components=3"):
        SparseAutoencoder(3, n_nonzero_coefs=5).fit(X)
    with pytest.raises(ValueError, match="solves least squares"):
        SparseAutoencoder(3, loss="absolute_error").fit(X)


def test_sparse_codes_see_through_noise(signal):
    X = signal[0]
    model = tiny(SparseAutoencoder, 30, n_nonzero_coefs=3, corruption="gaussian", max_iter=20)
    assert np.isfinite(model.fit(X).score(X))
