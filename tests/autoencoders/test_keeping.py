"""What is pickled is arrays: no tensor, no device, no training rows."""

import copy
import pickle

import cloudpickle
import joblib
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_array_equal
from torch import nn

from skae import AutoencoderTransformer
from skae.autoencoders import _keeping as keeping
from skae.nn import Weightless, coders
from skae.training import generator

DUMPS = {"pickle": pickle.dumps, "cloudpickle": cloudpickle.dumps}


@pytest.fixture
def cuda(monkeypatch):
    """Lets torch believe, when it pickles them, that the storages of some modules are on a GPU."""
    tagged = set()
    registry = list(torch.serialization._package_registry)

    def tag(storage):
        return "cuda:0" if storage.data_ptr() in tagged else None

    monkeypatch.setattr(torch.serialization, "_package_registry", registry)
    torch.serialization.register_package(0, tag, lambda storage, location: None)

    def move(module):
        tagged.update(weight.untyped_storage().data_ptr() for weight in module.parameters())
        return module

    return move


@pytest.mark.parametrize("dumps", DUMPS.values(), ids=DUMPS)
def test_what_is_fitted_on_a_gpu_is_loaded_without_one(cuda, blobs, dumps, tmp_path):
    module = cuda(nn.Linear(4, 2))
    with pytest.raises(RuntimeError, match="CUDA device"):  # what the fixture is for
        pickle.loads(dumps(module))
    model = tiny(AutoencoderTransformer, encoder=module).fit(blobs)
    cuda(model.module_)
    loaded = pickle.loads(dumps(model))
    assert_array_equal(loaded.transform(blobs), model.transform(blobs))
    assert loaded.encoder is not None
    joblib.dump(model, tmp_path / "model")
    assert_array_equal(joblib.load(tmp_path / "model").transform(blobs), model.transform(blobs))


@pytest.mark.parametrize("fit", [False, True])
def test_a_state_of_a_later_version_is_refused(monkeypatch, blobs, fit):
    model = tiny(AutoencoderTransformer)
    model = model.fit(blobs) if fit else model
    monkeypatch.setattr(keeping, "STATE_VERSION", 2)
    data = pickle.dumps(model)
    assert pickle.loads(data).get_params() == model.get_params()
    monkeypatch.undo()
    with pytest.raises(
        ValueError, match="state has version 2, and this one reads up to 1; upgrade"
    ):
        pickle.loads(data)


def test_a_state_without_a_version_is_of_the_first(blobs):
    model = tiny(AutoencoderTransformer).fit(blobs)
    state = model.__getstate__()
    assert state.pop("_state_version") == 1
    old = AutoencoderTransformer.__new__(AutoencoderTransformer)
    old.__setstate__(state)
    assert_array_equal(old.transform(blobs), model.transform(blobs))
    assert "_state_version" not in vars(old)


def test_copies_share_nothing_with_the_original(blobs):
    model = tiny(AutoencoderTransformer).fit(blobs)
    expected = model.transform(blobs)
    for other in (copy.copy(model), copy.deepcopy(model)):
        other.module_.location.add_(1.0)
    assert_array_equal(model.transform(blobs), expected)


def test_a_state_leaves_the_estimator_alone(blobs):
    model = tiny(AutoencoderTransformer, encoder=nn.Linear(4, 2)).fit(blobs)
    before = dict(vars(model))
    pickle.dumps(model)
    assert vars(model) == before
    assert all(vars(model)[name] is value for name, value in before.items())


@pytest.mark.parametrize("change", ["pop", "add", "shape"])
def test_weights_that_do_not_fit_the_architecture_are_refused(blobs, change):
    state = tiny(AutoencoderTransformer).fit(blobs).__getstate__()
    weights = state["_weights"]
    name = "autoencoder.encoder.path.bias"
    bias = weights.pop(name)
    if change != "pop":
        weights |= {name: bias, "more": bias} if change == "add" else {name: bias[:1]}
    model = AutoencoderTransformer.__new__(AutoencoderTransformer)
    with pytest.raises((ValueError, RuntimeError), match=r"weights are not those|size mismatch"):
        model.__setstate__(state)


def test_modules_can_be_built_without_memory_or_draws():
    widths = {"hidden_layer_sizes": (10**9,), "decoder_layer_sizes": ()}
    settings = {
        "activation": "relu",
        "normalization": "layer",
        "dropout": 0.0,
        "custom": (None,) * 2,
    }
    settings |= {"weight_init": "he", "tied_weights": False, "linear_path": True}
    rng = generator(0)
    with Weightless(at_most=8):
        pair = coders(10**6, 10**6, **widths, **settings, rng=rng)
    assert {p.device.type for coder in pair for p in coder.parameters()} == {"meta"}
    assert_array_equal(rng.get_state(), generator(0).get_state())
    with pytest.raises(ValueError, match="more layers than there are weights"):
        with Weightless(at_most=8):
            coders(4, 2, hidden_layer_sizes=(3,) * 100, decoder_layer_sizes=(), **settings, rng=rng)
