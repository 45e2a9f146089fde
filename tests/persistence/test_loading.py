"""A file gives the estimator that was saved, or an error that says what to do."""

import copy
import os
import pickle
import struct
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import public_estimators, tiny
from numpy.testing import assert_array_equal
from sklearn.callback import ProgressBar
from sklearn.decomposition import PCA
from torch import nn

import skae
from skae import AutoencoderTransformer, SparseAutoencoder, VAETransformer
from skae.files import seal, unseal
from skae.files._sealed import START, STOP, checksum
from skae.io import FileFormatError
from skae.outliers import AutoencoderOutlierDetector
from skae.persistence import loads
from skae.persistence._loading import estimators

X = np.random.default_rng(0).normal(size=(40, 3)) * [3.0, 2.0, 1.0] + 1.0


def saved(model, folder):
    model.save(folder / "model")
    return (folder / "model").read_bytes()


def forge(data):
    """The same bytes with a checksum that fits."""
    return data[:START] + checksum(data) + data[STOP:]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """A file of each estimator."""
    folder = tmp_path_factory.mktemp("files")
    frame = pd.DataFrame(X, columns=list("abc"))
    return [
        saved(tiny(Estimator, hidden_layer_sizes=(2,), max_iter=1).fit(frame), folder)
        for Estimator in public_estimators()
    ]


def test_a_file_may_name_every_public_estimator_and_nothing_else():
    assert set(public_estimators()) <= set(estimators().values())
    assert all(
        issubclass(cls, skae.autoencoders._keeping.Storable) for cls in estimators().values()
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"corruption": "block", "image_shape": (1, 3), "corruption_level": [0.1, 0.2]},
        {"normalization": "batch", "hidden_layer_sizes": [5, 4], "tied_weights": True},
        {"n_components": np.int64(2), "alpha": np.float32(0.1), "activation": np.str_("tanh")},
        {"init": "random", "whiten": True, "max_iter": 5, "device": "cpu"},
    ],
)
def test_parameters_keep_their_types(parameters, tmp_path):
    model = tiny(AutoencoderTransformer).set_params(**parameters).fit(X.astype(np.float32))
    loaded = loads(saved(model, tmp_path))
    for name, value in model.get_params().items():
        again = getattr(loaded, name)
        assert type(again) is type(value) and again == value
    assert_array_equal(loaded.transform(X), model.transform(X))


def test_what_is_loaded_is_saved_as_the_same_bytes(files, tmp_path):
    for data in files:
        assert saved(loads(data), tmp_path) == data


def test_names_of_features_and_containers_of_output_survive(tmp_path):
    frame = pd.DataFrame(X, columns=["ä", "b c", ""])
    model = tiny(AutoencoderTransformer).set_output(transform="pandas").fit(frame)
    loaded = loads(saved(model, tmp_path))
    assert loaded.feature_names_in_.dtype == object
    pd.testing.assert_frame_equal(loaded.transform(frame), model.transform(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.transform(frame[["b c", "ä", ""]])


def test_containers_of_output_are_not_needed_to_load(tmp_path, monkeypatch):
    data = saved(tiny(AutoencoderTransformer).set_output(transform="polars").fit(X), tmp_path)
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(ImportError):
        loads(data).transform(X)


def test_unfitted_estimators_are_saved_too(tmp_path):
    loaded = loads(saved(VAETransformer(3, beta=2.0), tmp_path))
    assert loaded.get_params() == VAETransformer(3, beta=2.0).get_params()
    assert not hasattr(loaded, "module_")


def test_callbacks_stay_behind(tmp_path):
    model = tiny(AutoencoderTransformer).set_callbacks(ProgressBar()).fit(X)
    assert "_skl_callbacks" not in vars(loads(saved(model, tmp_path)))


def test_a_fit_goes_on_from_a_file(tmp_path):
    model = tiny(SparseAutoencoder, warm_start=True, early_stopping=False).fit(X)
    loaded = loads(saved(model, tmp_path))
    assert_array_equal(loaded.fit(X).transform(X), model.fit(X).transform(X))


def test_a_file_from_a_gpu_can_be_read_without_one(tmp_path):
    model = tiny(AutoencoderTransformer).fit(X).set_params(device="cuda:7")
    loaded = loads(saved(model, tmp_path))
    assert loaded.device == "cuda:7"
    assert_array_equal(
        loaded.set_params(device="cpu").transform(X), model.set_params(device="cpu").transform(X)
    )


@pytest.mark.parametrize(
    "name, value",
    [
        ("encoder", nn.Linear(3, 2)),
        ("random_state", np.random.RandomState(0)),
        ("hidden_layer_sizes", range(1, 3)),
    ],
)
def test_what_a_file_cannot_hold_is_named(tmp_path, name, value):
    model = tiny(AutoencoderTransformer, **{name: value}).fit(X)
    (tmp_path / "model").write_bytes(b"old")
    with pytest.raises(TypeError, match=f"^{name} holds a .*; pickle the AutoencoderTransformer"):
        model.save(tmp_path / "model")
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"]


def test_classes_of_the_user_are_pickled_instead(tmp_path):
    Own = type("Own", (AutoencoderTransformer,), {"__module__": "own"})
    with pytest.raises(TypeError, match="Own is not a class of skae"):
        Own(2).save(tmp_path / "model")


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    model = tiny(AutoencoderTransformer).fit(X)
    model.module_.location[0] = torch.nan
    with pytest.raises(ValueError, match="_weights/location holds NaN"):
        model.save(tmp_path / "model")


def test_no_pickle_is_ever_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    for name, dump in (("pickle", pickle.dump), ("torch", torch.save)):
        with open(tmp_path / name, "wb") as file:
            dump(Bomb(), file)
        with pytest.raises(FileFormatError, match="no pickle, joblib, PyTorch"):
            skae.load(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


# Forgeries: the checksum is right, and something else is not


def forged(files, change, i=0):
    """A file with a checksum of its own whose content has been changed."""
    content, arrays = unseal(files[i])
    change(content["fields"], arrays)
    return seal(content, arrays)


ARCHITECTURE = "_fitted_architecture"


def coders(fields):
    return fields[ARCHITECTURE]["dict"]["coders"]["dict"]


@pytest.mark.parametrize(
    "change, what",
    [
        (lambda f, a: f.update(_state_version=99), "later version of skae .* upgrade skae"),
        (lambda f, a: f.update(transform="x"), "in the place of 'transform'"),
        (lambda f, a: f.update(__class__="x"), "in the place of '__class__'"),
        (lambda f, a: f.update(alpha=-1.0), "'alpha' parameter"),
        (lambda f, a: f.update(extra={"record": "Popen", "fields": {}}), "class 'Popen'"),
        (lambda f, a: a.update({"_weights/density.more": np.zeros(1)}), "nothing names"),
        (lambda f, a: f.update(n_components_=10**12), "codes have 2 columns"),
        (lambda f, a: f.update(n_features_in_=10**12), "1000000000000 features"),
        (lambda f, a: f.update(feature_names_in_={"strings": ["a"]}), "names 1 of 3"),
        (lambda f, a: coders(f).update(n_features=10**12), "size mismatch"),
        (
            lambda f, a: coders(f).update(hidden_layer_sizes=[10**9] * 3),
            "fitted|size mismatch",
        ),
        (lambda f, a: coders(f).update(hidden_layer_sizes=[8] * 10**5), "more layers than"),
        (lambda f, a: coders(f).update(weight_init="exec"), "exec"),
        (lambda f, a: a.update(mean_=np.full(3, np.nan)), "mean_ holds NaN"),
        (lambda f, a: a.update({"_weights/location": np.full(3, np.inf)}), "location holds NaN"),
        (lambda f, a: a.update({"_weights/location": np.zeros(4)}), "size of tensor"),
        (lambda f, a: a.update({"_weights/scale": np.zeros((), "i8")}), "File|dtype|finite|NaN"),
        (lambda f, a: a.update(more=np.zeros(1)), "nothing names, 'more'"),
        (lambda f, a: a.pop("mean_"), "no array 'mean_'"),
    ],
)
def test_what_a_checksum_covers_is_checked_all_the_same(files, change, what):
    with pytest.raises(FileFormatError, match=what):
        loads(forged(files, change))


def test_a_pursuit_of_more_atoms_than_there_are_is_refused(files):
    def change(fields, arrays):
        module = fields[ARCHITECTURE]["dict"]["module"]["dict"]
        module.update(n_nonzero_coefs=10**9, n_readings=10**9)

    with pytest.raises(FileFormatError, match="cannot choose 1000000000 of 2 atoms"):
        loads(
            forged(
                files, change, [E.__name__ for E in public_estimators()].index("SparseAutoencoder")
            )
        )


def test_a_value_in_the_place_of_an_estimator_is_refused():
    with pytest.raises(FileFormatError, match="holds a list, and no estimator"):
        loads(seal([1], {}))


# Fuzzing

JUNK = [None, True, -1, 10**12, 1e308, "x", [], {"tuple": []}, {"array": "mean_"}]
JUNK += [{"record": "VAETransformer", "fields": {}}, {"record": "Popen", "fields": {"args": "ls"}}]


def mutated(files, rng):
    """Bytes of a file after some harm."""
    data, other = (bytearray(files[i]) for i in rng.integers(len(files), size=2))
    place, length = int(rng.integers(len(data))), int(rng.integers(1, 50))
    kinds = [
        lambda: data[:place],
        lambda: data + rng.bytes(length),
        lambda: data[:place] + rng.bytes(length) + data[place:],
        lambda: data[:place] + rng.bytes(length) + data[place + length :],
        lambda: data[:place] + data[place + length :],
        lambda: data[:place] + bytes([data[place] ^ 1 << rng.integers(8)]) + data[place + 1 :],
        lambda: data[:place] + other[place:],
        lambda: struct.pack("<Q", int(rng.integers(2**63))) + data[8:],
    ]
    return bytes(kinds[rng.integers(len(kinds))]())


def test_of_ten_thousand_damaged_files_none_is_read(files):
    rng = np.random.default_rng(0)
    for _ in range(10_000):
        data = mutated(files, rng)
        if data not in files:
            with pytest.raises(FileFormatError):
                loads(data)


def branches(tree, path=()):
    """The places of a tree of JSON."""
    yield path
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(value, dict | list):
            yield from branches(value, (*path, key))
        else:
            yield (*path, key)


def scrambled(files, rng):
    """A file with a fitting checksum that is not what it was."""
    content, arrays = unseal(files[rng.integers(len(files))])
    if rng.random() < 0.3:
        name = sorted(arrays)[rng.integers(len(arrays))]
        array = arrays[name]
        others = [np.resize(array, 7), array.astype("f2"), array.astype("i8"), array[None]]
        others += [np.full_like(array, 1), array * np.array(1e300), -array.astype(float)]
        arrays[name] = np.asarray(others[rng.integers(len(others))])
    else:
        places = [place for place in branches(content) if place]
        *way, last = places[rng.integers(len(places))]
        branch = content
        for key in way:
            branch = branch[key]
        branch[last] = copy.deepcopy(JUNK[rng.integers(len(JUNK))])
    return seal(content, arrays)


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_a_forged_file_is_refused_or_gives_an_estimator_that_works(files):
    rng, works = np.random.default_rng(0), 0
    for i in range(400):
        data = scrambled(files, rng) if i % 2 else forge(mutated(files, rng))
        try:
            model = loads(data)
        except FileFormatError:
            continue
        works += 1
        assert type(model) in estimators().values()
        assert np.isfinite(model.set_params(device="cpu").score_samples(model.mean_[None])).all()
    assert 0 < works < 300


@pytest.mark.parametrize("settings", [{}, {"false_alarm_rate": 0.2}, {"contamination": 0.1}])
def test_a_detector_is_kept_with_its_model(tmp_path, settings):
    rows = np.random.default_rng(1).normal(size=(80, 3))
    model = tiny(AutoencoderTransformer)
    detector = AutoencoderOutlierDetector(model, random_state=0, **settings).fit(rows)
    detector.save(tmp_path / "detector")
    loaded = skae.load(tmp_path / "detector")
    assert_array_equal(loaded.decision_function(rows), detector.decision_function(rows))
    assert_array_equal(loaded.predict(rows), detector.predict(rows))


def test_a_detector_around_a_model_of_others_is_for_pickle(tmp_path):
    detector = AutoencoderOutlierDetector(PCA(2)).fit(X)
    with pytest.raises(TypeError, match=r"estimator holds a PCA.*pickle"):
        detector.save(tmp_path / "detector")


def test_a_threshold_that_is_none_is_refused(tmp_path):
    detector = AutoencoderOutlierDetector(tiny(AutoencoderTransformer)).fit(X)
    detector.offset_ = float("nan")
    detector.save(tmp_path / "detector")
    with pytest.raises(FileFormatError, match="offset_ holds NaN"):
        skae.load(tmp_path / "detector")
