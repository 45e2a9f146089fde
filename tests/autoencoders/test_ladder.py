"""The ladder: a denoiser without labels, a classifier with a few."""

import pickle

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import skae
from skae import DenoisingAutoencoder, LadderAutoencoder
from skae.autoencoders._labels import Labels

CLASSIFIER = {"classification_weight": 1.0, "max_iter": 20, "early_stopping": False}

BY_DEFINITION = {
    "check_classifiers_classes": "takes -1 for a class; scikit-learn leaves it out, by name, for "
    "its own estimators to which -1 is unknown"
}


@parametrize_with_checks(
    [
        LadderAutoencoder(
            hidden_layer_sizes=(16,),
            classification_weight=1.0,
            learning_rate_init=0.05,
            early_stopping=False,
            batch_size=100,
            max_iter=12,
            random_state=0,
        )
    ],
    expected_failed_checks=lambda estimator: BY_DEFINITION,
    xfail_strict=True,
)
def test_scikit_learn_takes_it_for_a_classifier(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def iris():
    X, y = load_iris(return_X_y=True)
    rows = np.random.default_rng(0).permutation(150)
    return StandardScaler().fit_transform(X)[rows], y[rows]


def few(y, n=12):
    known = np.full(len(y), -1)
    known[:n] = y[:n]
    return known


@pytest.mark.parametrize("settings", [{}, {"cv": 3}, {"early_stopping": False}, {"whiten": True}])
def test_with_all_weights_at_zero_it_is_a_denoising_autoencoder(blobs, settings):
    """To the bit, after a whole fit."""
    settings = {
        "hidden_layer_sizes": (16, 12),
        "max_iter": 30,
        "learning_rate_init": 0.005,  # folds are not stacked: what is rounded must not grow
        "corruption_level": 0.1,
    } | settings
    ladder = tiny(LadderAutoencoder, layer_weights=0.0, noise_level=0.0, **settings).fit(blobs)
    plain = tiny(DenoisingAutoencoder, normalization="layer", **settings).fit(blobs)
    assert ladder.best_iter_ > 0
    assert_array_equal(ladder.transform(blobs), plain.transform(blobs))
    assert_array_equal(ladder.score_samples(blobs), plain.score_samples(blobs))
    other = clone(ladder).set_params(layer_weights=(1.0, 0.0)).fit(blobs)
    assert not np.allclose(other.transform(blobs), plain.transform(blobs))


def test_starts_where_the_denoiser_starts(blobs):
    ladder, plain = (
        tiny(cls, max_iter=0).fit(blobs) for cls in (LadderAutoencoder, DenoisingAutoencoder)
    )
    assert_allclose(ladder.transform(blobs), plain.transform(blobs))


def test_learns_classes_from_a_few_labels():
    """Two bows that a straight line cannot part, and sixteen labels."""
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=400)
    angle = np.pi * (rng.random(400) + y)
    X = np.column_stack([np.cos(angle) + y, np.sin(angle) + y / 2]) + 0.05 * rng.normal(
        size=(400, 2)
    )
    known = np.full(400, -1)
    for c in (0, 1):
        known[np.flatnonzero(y == c)[:8]] = c
    settings = {"hidden_layer_sizes": (32, 32), "corruption_level": 0.2, "max_iter": 40}
    model = tiny(LadderAutoencoder, **CLASSIFIER | settings)
    assert model.fit(X, known).score(X, y) > 0.95


def test_without_a_classifier_y_is_ignored(blobs):
    y = np.linspace(-1, 1, len(blobs))
    model = tiny(LadderAutoencoder)
    expected = clone(model).fit(blobs).transform(blobs)
    for any_y in (y, few(y.round()), np.array(["a"] * 60), np.column_stack([y, y])):
        assert_array_equal(clone(model).fit(blobs, any_y).transform(blobs), expected)
    make_pipeline(clone(model), Ridge()).fit(blobs, y)
    assert not is_classifier(model) and not hasattr(model, "predict")
    assert len(clone(model).fit(blobs, y).classes_) == 0
    with pytest.raises(AttributeError, match="predict"):
        model.fit(blobs).predict(blobs)


def test_a_classifier_takes_part_in_cross_validation(iris):
    X, y = iris
    model = tiny(LadderAutoencoder, **CLASSIFIER | {"learning_rate_init": 0.02})
    assert is_classifier(model)
    assert cross_val_score(model, X, few(y, 90), cv=3).min() > 0.7
    assert cross_val_score(model, X, y, cv=3, scoring="neg_log_loss").min() > -0.9


@pytest.mark.parametrize("kind", [int, float, str, object])
def test_labels_of_every_kind(iris, kind):
    X, y = iris
    names = np.array(["setosa", "versicolor", "virginica"], dtype=object)
    labels = few(y, 60).astype(object if kind in (str, object) else kind)
    if kind in (str, object):
        labels[:60] = names[y[:60]]
        labels = labels.astype(kind)
    model = tiny(LadderAutoencoder, **CLASSIFIER).fit(X, labels)
    assert model.classes_.tolist() == (names.tolist() if kind in (str, object) else [0, 1, 2])
    assert model.predict(X).dtype == model.classes_.dtype
    P = model.predict_proba(X)
    assert P.shape == (150, 3) and P.dtype == X.dtype
    assert_allclose(P.sum(axis=1), 1)
    assert_array_equal(model.predict(X), model.classes_[P.argmax(axis=1)])


def test_rows_of_unknown_class_do_not_count_in_the_score(iris):
    X, y = iris
    model = tiny(LadderAutoencoder, **CLASSIFIER).fit(X, few(y))
    right = model.predict(X) == y
    assert model.score(X, y) == right.mean()
    assert model.score(X, few(y, 40)) == right[:40].mean()
    weights = np.arange(150.0)
    assert_allclose(model.score(X, y, weights), np.average(right, weights=weights))


def test_files_and_pickles_keep_the_classes(iris, tmp_path):
    X, y = iris
    names = np.array(["a", "b", "c"], dtype=object)[y]
    for labels in (y, names):
        model = tiny(LadderAutoencoder, **CLASSIFIER).fit(X, labels)
        model.save(tmp_path / "model.safetensors")
        for loaded in (
            skae.load(tmp_path / "model.safetensors"),
            pickle.loads(pickle.dumps(model)),
        ):
            assert_array_equal(loaded.predict(X), model.predict(X))
            assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
            assert_array_equal(loaded.classes_, model.classes_)


def test_a_weight_of_two_is_the_row_twice(iris):
    X, y = iris
    weights = np.random.default_rng(0).integers(3, size=150)
    model = tiny(LadderAutoencoder, **CLASSIFIER)
    weighted = clone(model).fit(X, few(y, 60), sample_weight=weights)
    repeated = clone(model).fit(np.repeat(X, weights, axis=0), np.repeat(few(y, 60), weights))
    assert_array_equal(weighted.predict_proba(X), repeated.predict_proba(X))


def test_gaps_do_no_harm(iris):
    X, y = iris
    X = np.where(np.random.default_rng(0).random(X.shape) < 0.1, np.nan, X)
    model = tiny(LadderAutoencoder, **CLASSIFIER | {"max_iter": 60}).fit(X, few(y, 60))
    assert model.score(X, y) > 0.75


def test_learns_from_parts(iris):
    X, y = iris
    model = tiny(LadderAutoencoder, learning_rate="constant", learning_rate_init=0.02, **CLASSIFIER)
    model.partial_fit(X[:50], few(y[:50], 2), classes=[0, 1, 2])
    assert_array_equal(model.classes_, [0, 1, 2])
    for _ in range(15):
        model.partial_fit(X[50:100], y[50:100]).partial_fit(X[100:])
    assert model.score(X, y) > 0.75
    with pytest.raises(ValueError, match=r"class 3, but the classes are \[0, 1, 2\]"):
        model.partial_fit(X, y + 1)


def test_goes_on_with_the_same_classes(iris):
    X, y = iris
    model = tiny(LadderAutoencoder, warm_start=True, **CLASSIFIER).fit(X, y)
    model.fit(X, np.minimum(y, 1))
    assert_array_equal(model.classes_, [0, 1, 2])
    with pytest.raises(ValueError, match="call"):
        model.fit(X, y + 1)
    without = tiny(LadderAutoencoder, warm_start=True).fit(X).set_params(classification_weight=1.0)
    with pytest.raises(ValueError, match="had none to go on from"):
        without.fit(X, y)


def test_says_what_is_wrong_with_labels(iris, tmp_path):
    X, y = iris
    np.save(tmp_path / "X.npy", X)
    model = tiny(LadderAutoencoder, **CLASSIFIER)
    with pytest.raises(NotFittedError):
        model.predict(X)
    for labels, message in (
        (None, "requires y to be passed"),
        (np.full(150, -1), "All 150 labels in y are -1"),
        (y[:100], "inconsistent numbers of samples"),
        (X[:, 0], "continuous"),
        (np.where(y, y, np.nan), "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            model.fit(X, labels)
    with pytest.raises(ValueError, match="read in blocks"):
        model.fit(skae.data.from_memmap(tmp_path / "X.npy"), y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"layer_weights": (1.0, -1.0)}, "must be one or several numbers"),
        ({"layer_weights": ()}, "must be one or several numbers"),
        ({"decoder_layer_sizes": (3, 4)}, "in reverse"),
    ],
)
def test_refuses_what_cannot_be(blobs, settings, message):
    with pytest.raises(ValueError, match=message):
        tiny(LadderAutoencoder, **settings).fit(blobs)


def test_other_labels_make_another_fit(iris, tmp_path):
    """A file of a fit to other labels is not gone on from."""
    from skae.autoencoders._identity import described

    X, y = iris
    one, same, other = (Labels.read(labels, X) for labels in (y, y.copy(), few(y)))
    assert described(one) == described(same) != described(other)
