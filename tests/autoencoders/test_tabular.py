"""Tables of numbers and categories."""

import pickle

import numpy as np
import pandas as pd
import polars as pl
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import multivariate_normal
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

import skae
from skae import AutoencoderTransformer, TabularAutoencoder
from skae.nn import CORRUPTIONS

START = {"max_iter": 0, "hidden_layer_sizes": ()}


def mixed(n_samples=120, seed=0):
    """Numbers, a boolean, and categories of three and of two kinds, that depend on each other."""
    rng = np.random.default_rng(seed)
    size = rng.normal(size=n_samples)
    return pd.DataFrame(
        {
            "kind": np.array(["large", "middling", "small"])[np.digitize(-size, [-0.6, 0.6])],
            "size": 1000 + 50 * size,
            "count": rng.poisson(np.exp(1 + 0.5 * size)),
            "open": size + 0.5 * rng.normal(size=n_samples) > 0.3,
            "side": np.where(size + rng.normal(size=n_samples) > 0, "left", "right"),
            "width": (size**2 + 0.1 * rng.normal(size=n_samples)).astype(np.float32),
        }
    )


def famd(frame):
    """Cells of factor analysis of mixed data: numbers, coins, then the three kinds."""
    numbers = frame[["size", "count", "width"]].to_numpy(float)
    coins = np.column_stack([frame["open"], frame["side"] == "right"]).astype(float)
    kinds = np.array([frame["kind"] == kind for kind in ("large", "middling", "small")]).T
    scaled = [(part - part.mean(axis=0)) / part.std(axis=0) for part in (numbers, coins)]
    share = kinds.mean(axis=0)
    return np.hstack([*scaled, (kinds - share) / share**0.5])


def encoded(model, frame):
    """Codes in the order that training left them in."""
    import torch

    cells = torch.from_numpy(famd(frame))
    with torch.no_grad():
        return model.module_.autoencoder.encode(cells).numpy()


def test_starts_at_factor_analysis_of_mixed_data():
    """Pagès (2004): the codes are principal components of numbers and scaled indicators."""
    frame = mixed()
    model = tiny(TabularAutoencoder, 3, **START).fit(frame)
    cells = famd(frame)
    U, s, _ = np.linalg.svd(cells - cells.mean(axis=0), full_matrices=False)
    Z = encoded(model, frame)
    assert_allclose(np.abs(np.corrcoef(Z.T, (U * s)[:, :3].T)[:3, 3:]), np.eye(3), atol=1e-8)
    # and transform gives the same plane, in the canonical basis
    T = model.transform(frame)
    fitted = Z @ np.linalg.lstsq(Z - Z.mean(axis=0), T, rcond=None)[0]
    assert_allclose(fitted - fitted.mean(axis=0), T, atol=1e-8)


def test_numbers_alone_start_at_pca_of_standardised_columns(blobs):
    X = blobs * [1, 10, 1e-3, 1e5] + [5, 0, 0, 1e6]
    model = tiny(TabularAutoencoder, **START).fit(X)
    scaler = StandardScaler().fit(X)
    pca = PCA(2).fit(scaler.transform(X))
    assert_allclose(model.transform(X), pca.transform(scaler.transform(X)), atol=1e-8)
    expected = scaler.inverse_transform(pca.inverse_transform(model.transform(X)))
    assert_allclose(model.inverse_transform(model.transform(X)), expected, rtol=1e-9)


def test_numbers_alone_learn_as_a_plain_autoencoder_does(blobs):
    """The loss of standardised numbers is the plain one's, to the last bit of the steps."""
    X = StandardScaler().fit_transform(blobs)
    fast = {"max_iter": 20, "early_stopping": False}
    one, other = (tiny(E, **fast).fit(X) for E in (TabularAutoencoder, AutoencoderTransformer))
    assert one.best_iter_ == 20
    assert_allclose(one.transform(X), other.transform(X), atol=1e-4)
    assert_allclose(one.loss_curve_, other.loss_curve_, rtol=1e-5)


def test_the_score_of_a_linear_model_of_numbers_is_that_of_factor_analysis(blobs):
    model = tiny(TabularAutoencoder, **START).fit(blobs)
    density, columns = model.module_.density, model.module_.columns
    W = model.inverse_transform(np.diag(density.code_std.numpy()))
    mean = model.inverse_transform(np.zeros((1, 2)))[0]
    width = columns.width.numpy()
    W, noise = (W - mean) * density.prior_variance.numpy()[:, None] ** 0.5, density.noise_variance
    covariance = W.T @ W + np.diag(noise.numpy() * width**2)
    expected = multivariate_normal(mean, covariance).logpdf(blobs)
    assert_allclose(model.score_samples(blobs), expected, rtol=1e-7)
    holes = blobs.copy()
    holes[:, 1] = np.nan
    kept = [0, 2, 3]
    marginal = multivariate_normal(mean[kept], covariance[np.ix_(kept, kept)]).logpdf(
        blobs[:, kept]
    )
    assert_allclose(model.score_samples(holes), marginal, rtol=1e-7)


def test_the_score_of_categories_sums_to_one():
    """Over all rows there can be: Laplace's approximation to it, at least."""
    rng = np.random.default_rng(0)
    first = rng.choice(["a", "b", "c"], size=300, p=[0.5, 0.3, 0.2])
    second = np.where(rng.uniform(size=300) < 0.7, first, "a")
    frame = pd.DataFrame({"first": first, "second": second})
    model = tiny(TabularAutoencoder, 1, **START).fit(frame)
    rows = pd.DataFrame([(a, b) for a in "abc" for b in "abc"], columns=["first", "second"])
    assert_allclose(np.exp(model.score_samples(rows)).sum(), 1, atol=0.1)


def test_a_wider_code_makes_new_rows_likelier_where_there_is_more_to_say():
    frame = mixed(600)
    rng = np.random.default_rng(1)
    frame["more"] = rng.normal(size=600)
    frame["other"] = 2 * frame["more"] + 0.1 * rng.normal(size=600)
    scores = [
        tiny(TabularAutoencoder, k, **START).fit(frame[:400]).score(frame[400:]) for k in (1, 2)
    ]
    assert scores[1] > scores[0] + 0.3


def test_probabilities_sum_to_one_and_inverse_transform_takes_the_largest():
    frame = mixed()
    model = tiny(TabularAutoencoder).fit(frame)
    Z = model.transform(frame)
    found, back = model.category_probabilities(Z), model.inverse_transform(Z)
    assert list(found) == ["kind", "open", "side"]
    for name, categories in zip(frame.columns, model.categories_, strict=True):
        if categories is not None:
            assert_allclose(found[name].sum(axis=1), 1)
            assert list(back[name]) == [categories[i] for i in found[name].argmax(axis=1)]
    with pytest.raises(ValueError, match="decodes codes of 2"):
        model.category_probabilities(frame[["size"]])


PANDAS = {
    "int8": ("int8", [1, -3, 2]),
    "uint8": ("uint8", [0, 255, 7]),
    "nullable integers": ("Int64", [1, None, 5]),
    "nullable floats": ("Float32", [1.5, None, 2.5]),
    "float32": ("float32", [1.5, 2.5, 4.0]),
    "booleans": ("bool", [True, False, True]),
    "nullable booleans": ("boolean", [True, None, False]),
    "strings": ("str", ["a", None, "b"]),
    "text": ("string", ["a", "b", "c"]),
    "objects": ("object", ["a", None, "b"]),
    "booleans as objects": ("object", [True, None, False]),
    "categories": (pd.CategoricalDtype(["z", "b", "a", "unused"], ordered=True), ["a", "b", "z"]),
    "numbers as categories": (pd.CategoricalDtype([3, 1, 2]), [1, 2, 3]),
    "intervals": (pd.CategoricalDtype(pd.interval_range(0, 3)), [*pd.interval_range(0, 3)]),
}


@pytest.mark.parametrize("case", PANDAS)
def test_pandas_gets_its_dtypes_back(case):
    dtype, values = PANDAS[case]
    frame = mixed(60).assign(new=pd.Series(values * 20, dtype=dtype))
    frame.index = [f"row {i}" for i in range(60)]
    model = tiny(TabularAutoencoder, 3).fit(frame)
    back = model.inverse_transform(model.transform(frame))
    pd.testing.assert_series_equal(back.dtypes, frame.dtypes)
    assert not back.isna().any().any()
    assert (
        back["new"].isin(frame["new"].dropna()).all()
        or dtype in ("Float32", "float32", "Int64")
        or case.startswith(("int", "uint"))
    )
    Z = clone(model).set_output(transform="pandas").fit_transform(frame)
    assert list(model.inverse_transform(Z).index) == list(frame.index)


def test_polars_gets_its_dtypes_back():
    frame = pl.DataFrame(mixed(60).to_dict("list")).with_columns(
        pl.Series("enum", ["b", "a", None] * 20, dtype=pl.Enum(["b", "unused", "a"])),
        pl.Series("categorical", ["x", "y", "z"] * 20, dtype=pl.Categorical),
        pl.Series("int8", [1, None, 3] * 20, dtype=pl.Int8),
        pl.Series("float32", [1, 2, 3] * 20, dtype=pl.Float32),
        pl.Series("boolean", [True, None, False] * 20),
    )
    model = tiny(TabularAutoencoder, 3).fit(frame)
    back = model.inverse_transform(model.transform(frame))
    assert type(back) is pl.DataFrame and back.schema == frame.schema
    assert back.null_count().sum_horizontal().item() == 0
    other = tiny(TabularAutoencoder, 3).fit(frame.to_pandas())
    assert_allclose(
        other.reconstruction_error(frame.to_pandas()), model.reconstruction_error(frame), rtol=0.5
    )


def test_integers_are_rounded_and_stay_in_their_range():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"n": rng.integers(0, 256, 50).astype("uint8"), "x": rng.normal(size=50)})
    model = tiny(TabularAutoencoder).fit(frame)
    far = model.inverse_transform(np.array([[1e6, 0], [-1e6, 0]]))["n"]
    assert set(far) <= {0, 255} and far.dtype == np.uint8


def test_arrays_are_numbers_unless_told():
    X = mixed()[["size", "count", "open"]].to_numpy(float)
    model = tiny(TabularAutoencoder).fit(X)
    assert model.categories_ == [None, None, None]
    told = [
        tiny(TabularAutoencoder, categorical_features=which).fit(X)
        for which in ([2], [False, False, True], np.array([2]))
    ]
    for model in told:
        assert model.categories_ == [None, None, [0.0, 1.0]]
        back = model.inverse_transform(model.transform(X))
        assert type(back) is np.ndarray and set(back[:, 2]) <= {0.0, 1.0}
    with pytest.raises(ValueError, match="categorical_features names 3, but X has 3 features"):
        tiny(TabularAutoencoder, categorical_features=[3]).fit(X)


def test_names_say_which_columns_are_categories():
    frame = mixed()
    model = tiny(TabularAutoencoder, categorical_features=["kind", "count", "side"]).fit(frame)
    assert [categories is None for categories in model.categories_] == [0, 1, 0, 0, 0, 1]
    assert model.categories_[2] == sorted(frame["count"].unique())
    back = model.inverse_transform(model.transform(frame))
    assert (back.dtypes == frame.dtypes).all()
    for wrong in (["count"], None):
        with pytest.raises(ValueError, match=r"Column 'kind' .* leaves it out; add it, or convert"):
            tiny(TabularAutoencoder, categorical_features=wrong).fit(frame)
    with pytest.raises(ValueError, match="names 'weight', but X has 6 features"):
        tiny(TabularAutoencoder, categorical_features=["weight"]).fit(frame)


REFUSED = {
    "dates": (pd.date_range("2020", periods=60), "Datetime.* pass the days"),
    "durations": (pd.timedelta_range("1h", periods=60), "Duration.* pass the seconds"),
    "a mixture": ([1, "a"] * 30, "holds numbers and text; convert it to one type"),
    "lists": ([[1], [2]] * 30, "holds other values; convert"),
    "names of rows": ([f"row {i}" for i in range(60)], "has 60 categories, and at most 40"),
    "nothing": ([np.nan] * 60, "columns hold no value at all"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_no_column_is_dropped_without_a_word(case, monkeypatch):
    monkeypatch.setattr("skae.autoencoders._columns.MAX_CATEGORIES", 40)
    values, sentence = REFUSED[case]
    frame = mixed(60).assign(new=values)
    with pytest.raises(ValueError, match=sentence) as error:
        tiny(TabularAutoencoder).fit(frame)
    assert "'new'" in str(error.value) or case == "nothing"
    assert not hasattr(tiny(TabularAutoencoder), "module_")


def test_polars_lists_are_refused_by_name():
    frame = pl.DataFrame({"x": [1.0, 2.0], "items": [[1], [2, 3]]})
    with pytest.raises(ValueError, match=r"Column 'items' is of type List.*one column for each"):
        tiny(TabularAutoencoder).fit(frame)


def test_unseen_categories_are_missing_ones_or_errors():
    frame = mixed()
    model = tiny(TabularAutoencoder).fit(frame)
    unseen, missing = frame.copy(), frame.copy()
    unseen.loc[3, "kind"], missing.loc[3, "kind"] = "enormous", None
    for method in ("transform", "score_samples", "explain", "reconstruction_error"):
        results = (np.asarray(getattr(model, method)(X)) for X in (unseen, missing))
        assert_array_equal(*results)
    assert np.isnan(model.reconstruction_error(missing, per_cell=True)[3, 0])
    strict = model.set_params(handle_unknown="error")
    with pytest.raises(ValueError, match="'kind' holds categories that fit has not seen: 'enorm"):
        strict.transform(unseen)
    assert_array_equal(strict.transform(missing)[:3], strict.transform(frame)[:3])


def test_columns_of_another_kind_are_refused():
    frame = mixed()
    model = tiny(TabularAutoencoder).fit(frame)
    with pytest.raises(ValueError, match="'kind' held text in fit, but now values like 1"):
        model.transform(frame.assign(kind=1))
    with pytest.raises(ValueError, match="'size' held numbers in fit, but is of type String"):
        model.transform(frame.assign(size="large"))
    with pytest.raises(ValueError, match="fitted on a DataFrame with categories, but X is an arr"):
        model.transform(np.zeros((3, 6)))
    with pytest.raises(ValueError, match="should match those that were passed"):
        model.transform(frame[frame.columns[::-1]])
    with pytest.raises(ValueError, match="infinity"):
        model.transform(frame.assign(size=np.inf))


def test_learns_from_missing_cells_of_every_kind():
    """What is missing is estimated from the others: better than by the most frequent kind."""
    frame, rng = mixed(400), np.random.default_rng(1)
    holes = frame.astype(object).mask(rng.uniform(size=frame.shape) < 0.2)
    holes = holes.astype({"kind": "str", "size": float, "count": "Int64", "open": "boolean"})
    holes = holes.astype({"side": "str", "width": "float32"})
    model = tiny(TabularAutoencoder, 2).fit(holes)
    back = model.inverse_transform(model.transform(holes))
    gone = holes["kind"].isna()
    right = (back["kind"] == frame["kind"])[gone].mean()
    assert right > frame["kind"].value_counts(normalize=True).max() + 0.2
    assert np.isfinite(model.score_samples(holes)).all()
    assert model.explain(holes).notna().all().all()


def test_missing_cells_have_no_part_in_the_score():
    frame = mixed()
    model = tiny(TabularAutoencoder).fit(frame)
    empty = frame.astype(object).mask(np.ones(frame.shape, dtype=bool))
    assert_allclose(model.score_samples(empty), 0, atol=1e-6)


def test_explanations_of_a_frame_add_up():
    frame = mixed()
    model = tiny(TabularAutoencoder).fit(frame)
    shares = model.explain(frame)
    assert list(shares.columns) == list(frame.columns)
    total = shares.sum(axis=1) + model.score_samples(frame)
    assert_allclose(total, total[0], rtol=1e-8)  # the typical row's
    odd = frame[:1].assign(kind="small", size=1200.0)
    assert set(model.explain(odd).iloc[0].nlargest(2).index) == {"kind", "size"}


def test_reconstruction_errors_are_distances_and_missing_certainties():
    frame = mixed()
    model = tiny(TabularAutoencoder).fit(frame)
    cells, Z = model.reconstruction_error(frame, per_cell=True), model.transform(frame)
    found, back = model.category_probabilities(Z), model.inverse_transform(Z)
    for j, name in enumerate(frame.columns):
        if name in found:
            codes = [model.categories_[j].index(value) for value in frame[name]]
            assert_allclose(cells[:, j], 1 - found[name][np.arange(120), codes], atol=1e-9)
    assert_allclose(cells[:, 1], np.abs(frame["size"] - back["size"]), atol=1e-9)


def test_goes_up_from_its_start():
    frame = mixed(500)
    model = tiny(TabularAutoencoder, 1, hidden_layer_sizes=(32, 32), max_iter=40)
    scores = model.fit(frame).validation_scores_
    assert 0 < model.best_iter_ and max(scores) > scores[0] + 0.1


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_noise_hits_the_indicators_of_a_column_together(corruption):
    import torch

    model = tiny(TabularAutoencoder, corruption=corruption, max_iter=1).fit(mixed())
    module = model.module_.autoencoder
    cells = torch.from_numpy(famd(mixed()))
    seen, hit = module.corruption(cells, torch.Generator().manual_seed(0))
    if corruption in ("masking_mean", "masking_zero", "salt_and_pepper", "swap"):
        assert (hit[:, 5:].any(dim=1) == hit[:, 5:].all(dim=1)).all() and hit[:, 5:].any()
    if corruption == "swap":
        hits = module.reconstruction.values(seen)[:, 5:]
        assert_allclose(hits.sum(dim=1), 1, atol=1e-9)


def test_weights_are_repetitions():
    frame = mixed(60)
    weights = np.arange(60) % 3
    weighted = tiny(TabularAutoencoder).fit(frame, sample_weight=weights)
    repeated = tiny(TabularAutoencoder).fit(frame.loc[np.repeat(frame.index, weights)])
    assert_array_equal(weighted.transform(frame), repeated.transform(frame))


def test_weights_that_are_no_repetitions_count_in_the_start():
    frame = mixed(200)
    weights = np.where(frame["kind"] == "small", 3.0, 1.0)
    plain, weighted, repeated = (
        tiny(TabularAutoencoder, 1, **START).fit(X, sample_weight=w)
        for X, w in (
            (frame, None),
            (frame, weights * 0.31),
            (frame.loc[np.repeat(frame.index, weights.astype(int))], None),
        )
    )
    heads = [
        m.module_.autoencoder.decoder.path.bias.numpy(force=True)[5:]
        for m in (plain, weighted, repeated)
    ]
    assert_allclose(heads[1] - heads[1][0], heads[2] - heads[2][0], atol=0.15)
    assert not np.allclose(heads[0] - heads[0][0], heads[2] - heads[2][0], atol=0.5)


def test_is_stored_with_its_columns(tmp_path):
    frame = mixed(60).assign(level=pd.Categorical(["low", "high"] * 30, ["low", "high", "none"]))
    model = tiny(TabularAutoencoder, max_iter=1, early_stopping=False).fit(frame)
    model.save(tmp_path / "model.safetensors")
    copies = [pickle.loads(pickle.dumps(model)), skae.load(tmp_path / "model.safetensors")]
    for copy in copies:
        Z = copy.transform(frame)
        assert_array_equal(Z, model.transform(frame))
        pd.testing.assert_frame_equal(copy.inverse_transform(Z), model.inverse_transform(Z))
        assert_array_equal(copy.score_samples(frame), model.score_samples(frame))


def test_goes_on_from_the_columns_it_knows():
    frame = mixed()
    model = tiny(TabularAutoencoder, warm_start=True, early_stopping=False).fit(frame)
    categories = model.categories_
    model.fit(frame[frame["kind"] != "small"])
    assert model.categories_ == categories


def test_frames_pass_through_a_grid_search():
    search = GridSearchCV(tiny(TabularAutoencoder), {"n_components": [1, 2]}, cv=2).fit(mixed())
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_constant_columns_and_kinds_do_no_harm():
    frame = mixed(60).assign(one="only", yes=True, four=4)
    model = tiny(TabularAutoencoder, 2).fit(frame)
    back = model.inverse_transform(model.transform(frame))
    assert (back[["one", "yes", "four"]] == frame[["one", "yes", "four"]]).all().all()
    assert np.isfinite(model.score_samples(frame)).all()


def test_the_widest_code_counts_what_categories_can_say():
    frame = mixed()
    assert tiny(TabularAutoencoder, None).fit(frame).n_components_ == 3 + 1 + 1 + 2
    with pytest.raises(ValueError, match="n_components=8 is larger than"):
        tiny(TabularAutoencoder, 8).fit(frame)
