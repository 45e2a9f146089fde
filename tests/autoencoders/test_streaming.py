"""Fits to rows that are never held all at once."""

import numpy as np
import pytest
import scipy.sparse as sp
from conftest import public_estimators, tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.decomposition import PCA

import skae
from skae import AutoencoderTransformer
from skae.autoencoders import _streaming as streaming
from skae.autoencoders import _table as table

AUTOENCODERS = [E for E in public_estimators() if E is not skae.TabularAutoencoder]


@pytest.fixture(autouse=True)
def small_samples(monkeypatch):
    monkeypatch.setattr(streaming, "SAMPLE_ROWS", 1)


@pytest.fixture
def X():
    rng = np.random.default_rng(0)
    Z = rng.normal(size=(4000, 2))
    curved = np.hstack([Z, np.sin(2 * Z), Z**2]) @ rng.normal(size=(6, 8))
    return curved + 0.05 * rng.normal(size=curved.shape)


@pytest.fixture
def sparse():
    rng = np.random.default_rng(0)
    topic = rng.integers(3, size=600)
    X = (rng.random((600, 40)) < 0.1) * rng.random((600, 40))
    X[np.arange(600), topic] += 3
    return sp.csr_array(np.where(rng.random(X.shape) < 0.5, X, 0))


def explained(model, X):
    residual = X - model.inverse_transform(model.transform(X))
    return 1 - np.square(residual).sum() / np.square(X - X.mean(axis=0)).sum()


@pytest.mark.parametrize("Estimator", AUTOENCODERS)
def test_every_autoencoder_fits_a_source(Estimator, X):
    X = X[:1000]
    model = tiny(Estimator, max_iter=2).fit(skae.data.from_memmap(X))
    assert model.transform(X).shape == (1000, 2)
    assert np.isfinite(model.score(X)) and model.n_samples_seen_ == 1000
    again = tiny(Estimator, max_iter=2).fit(skae.data.from_memmap(X))
    assert_array_equal(again.transform(X), model.transform(X))


def test_is_as_good_as_in_memory_with_a_small_sample(X, monkeypatch):
    model = AutoencoderTransformer(2, max_iter=12, random_state=0)
    held = explained(model.fit(X), X)
    monkeypatch.setattr(streaming, "SAMPLE", 8 * 500)
    assert explained(model.fit(skae.data.from_memmap(X)), X) > held - 0.02
    assert held > explained(PCA(2).fit(X), X) + 0.03


def test_held_out_rows_are_not_learnt_from(X, monkeypatch):
    """The weights are the same whatever the training never saw."""
    monkeypatch.setattr(streaming, "SAMPLE", 8 * 500)
    seen = []
    plain = streaming.StreamedTable.streamed

    def spy(self, units, fill, without, **where):
        rows = plain(self, units, fill, without, **where)
        seen.append((self.rows[without], rows))
        return rows

    monkeypatch.setattr(streaming.StreamedTable, "streamed", spy)
    tiny(AutoencoderTransformer, early_stopping=True, cv=None).fit(skae.data.from_memmap(X))
    (test, search), (none, refit) = seen
    assert len(test) == 50 and len(search) == 3950
    assert len(none) == 0 and len(refit) == 4000
    assert_array_equal(search.without, test)


def test_the_mean_is_of_all_rows_not_of_the_sample(X, monkeypatch):
    monkeypatch.setattr(streaming, "SAMPLE", 8 * 100)
    weights = np.random.default_rng(1).random(4000)
    for w in (None, weights):
        model = tiny(AutoencoderTransformer).fit(skae.data.from_memmap(X), sample_weight=w)
        assert_allclose(model.mean_, np.average(X, axis=0, weights=w))


def test_gaps_in_a_source(X, monkeypatch):
    monkeypatch.setattr(streaming, "SAMPLE", 8 * 500)
    gaps = np.random.default_rng(0).random(X.shape) < 0.2
    model = AutoencoderTransformer(2, max_iter=5, random_state=0)
    model.fit(skae.data.from_memmap(np.where(gaps, np.nan, X)))
    assert explained(model, X) > explained(PCA(2).fit(X), X) - 0.05


def test_bounds_are_checked_on_all_rows(X, monkeypatch):
    monkeypatch.setattr(streaming, "SAMPLE", 8 * 10)
    X = np.clip(X, 0, 1)
    X[1234, 3] = 2.0
    model = AutoencoderTransformer(2, loss="binary_cross_entropy")
    with pytest.raises(ValueError, match="ranges from 0 to 2"):
        model.fit(skae.data.from_memmap(X))


def test_names_come_from_the_file(X, tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    frame.to_parquet(tmp_path / "x.parquet")
    model = tiny(AutoencoderTransformer).fit(skae.data.from_parquet(tmp_path / "x.parquet"))
    assert list(model.feature_names_in_) == list("abcdefgh")
    assert model.transform(frame).shape == (4000, 2)
    with pytest.raises(ValueError, match="feature names"):
        model.transform(frame[list("hgfedcba")])


def test_a_large_array_is_not_copied(X, tmp_path, monkeypatch):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert streaming.source_of(mapped, None) is None  # small ones are
    monkeypatch.setattr(streaming, "LARGE", 1000)
    assert isinstance(streaming.source_of(mapped, None), skae.data.Source)
    expected = tiny(AutoencoderTransformer).fit(skae.data.from_memmap(X)).transform(X)
    for rows in (mapped, X):  # workers of joblib get files in the place of arrays
        assert_array_equal(tiny(AutoencoderTransformer).fit(rows).transform(rows), expected)
    assert streaming.source_of(X, [([0], [1])]) is None


@pytest.mark.parametrize(
    ("Estimator", "kind"),
    [
        *((Estimator, sp.csr_array) for Estimator in AUTOENCODERS),
        (AutoencoderTransformer, sp.csc_matrix),
        (AutoencoderTransformer, sp.coo_array),
    ],
)
def test_small_sparse_matrices_are_as_dense_ones(Estimator, sparse, kind):
    sparse = sparse[:120, :15]
    dense = tiny(Estimator).fit(sparse.toarray())
    model = tiny(Estimator).fit(kind(sparse))
    for method in ("transform", "score_samples", "explain"):
        expected = getattr(dense, method)(sparse.toarray())
        assert_array_equal(getattr(model, method)(kind(sparse)), expected)


@pytest.mark.filterwarnings("ignore:Posterior collapse", "ignore:Dead", "ignore:Collapse")
@pytest.mark.parametrize("Estimator", AUTOENCODERS)
def test_large_sparse_matrices_are_never_dense(Estimator, sparse, monkeypatch):
    monkeypatch.setattr(streaming, "DENSE", 1000)
    monkeypatch.setattr(table, "DENSE", 1000)
    monkeypatch.setattr(streaming, "SAMPLE", 40 * 100)
    most = []
    plain = sp.csr_array.toarray

    def toarray(self, *args, **kwargs):
        most.append(self.shape[0])
        return plain(self, *args, **kwargs)

    model = tiny(Estimator, max_iter=1)
    monkeypatch.setattr(sp.csr_array, "toarray", toarray)
    monkeypatch.setattr("skae.training._batches.CHUNK", 40 * 50)
    model.fit(sparse)
    Z = model.transform(sparse)
    assert max(most) <= 100
    assert np.isfinite(model.score(sparse)) and Z.shape == (600, 2)
    monkeypatch.setattr(table, "DENSE", 10**9)
    assert_allclose(model.transform(sparse), Z, atol=1e-10)


def test_a_sparse_start_is_pca_of_all_rows(sparse, monkeypatch):
    monkeypatch.setattr(streaming, "DENSE", 1000)
    monkeypatch.setattr(streaming, "SAMPLE", 40 * 100)
    model = AutoencoderTransformer(3, max_iter=0, random_state=0).fit(sparse)
    X = sparse.toarray()
    assert_allclose(explained(model, X), explained(PCA(3).fit(X), X), atol=1e-9)
    assert_allclose(model.mean_, X.mean(axis=0))


class DataLoader:
    """As torch's is called."""


@pytest.mark.parametrize(
    ("lazy", "way_out"),
    [
        (lambda: pytest.importorskip("polars").LazyFrame({"a": [1.0]}), r"collect\(\)"),
        (lambda: pytest.importorskip("dask.array").ones((10, 3)), "skae.data.from_dask"),
        (DataLoader, "skae.data.from_batches"),
        (lambda: (x for x in np.ones((3, 2))), "skae.data.from_batches"),
    ],
)
def test_what_is_no_array_is_refused_with_a_recipe(X, lazy, way_out):
    model = tiny(AutoencoderTransformer).fit(X)
    for method in (model.fit, model.transform, model.score_samples, model.partial_fit):
        with pytest.raises(TypeError, match=f"not an array; .*{way_out}"):
            method(lazy())


def test_mixed_tables_are_not_read_in_blocks(X):
    with pytest.raises(TypeError, match=r"not ArraySource\(4000 rows, 8 columns\).*partial_fit"):
        tiny(skae.TabularAutoencoder).fit(skae.data.from_memmap(X))


def test_sources_are_for_fit_alone(X):
    model, source = tiny(AutoencoderTransformer).fit(X), skae.data.from_memmap(X)
    for method in (model.transform, model.score_samples, model.explain, model.partial_fit):
        with pytest.raises(TypeError, match="transform_to_parquet"):
            method(source)
    with pytest.raises(ValueError, match="splits arrays alone"):
        AutoencoderTransformer(2, cv=[([0], [1])]).fit(source)
