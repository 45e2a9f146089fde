"""A file that a fit goes on from: the same fit, to the same bits, and no other."""

import warnings
from math import inf, nan

import numpy as np
import pytest
import torch
from conftest import public_estimators, tiny
from numpy.testing import assert_array_equal
from safetensors.torch import save_file
from torch import nn

from skae import AutoencoderTransformer
from skae.training import CheckpointFile, Trainer, _checkpoint
from skae.training._checkpoint import packed, unpacked


class Killed(BaseException):
    """Stands for SIGKILL, which reliability/test_processes.py sends."""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "fit"


@pytest.fixture
def every_epoch(monkeypatch):
    monkeypatch.setattr(_checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(_checkpoint, "SHARE", inf)


@pytest.fixture
def killed_after(every_epoch, monkeypatch):
    """Lets the next fit die once it has been kept so often, and those after it live."""
    save = CheckpointFile.save

    def set_to(n_times):
        kept = []

        def save_and_die(self, run):
            save(self, run)
            kept.append(run.epoch)
            if len(kept) == n_times:
                raise Killed

        monkeypatch.setattr(CheckpointFile, "save", save_and_die)

    return set_to


def killed(model, X):
    with pytest.raises(Killed):
        model.fit(X)
    return model


CASES = {
    "folds": {"cv": 2},
    "a width to find": {"n_components": 0.9, "cv": 2},
    "no refit": {"refit": False},
    "rmsprop": {"solver": "rmsprop"},
    "sgd without momentum": {"solver": "sgd", "momentum": 0.0},
    "tied weights": {"tied_weights": True},
    "batch normalisation": {"normalization": "batch"},
    "dropout and noise": {"dropout": 0.2, "corruption": "swap"},
}


@pytest.mark.filterwarnings("ignore:Collapse")  # after a few epochs at a high rate
@pytest.mark.parametrize("case", CASES)
def test_goes_on_to_the_same_bits(case, blobs, path, killed_after):
    settings = {"max_iter": 4, "learning_rate_init": 0.02, "early_stopping": case == "folds"}
    settings |= CASES[case]
    other = path.with_name("other")  # without a file, folds are trained as one
    expected = tiny(AutoencoderTransformer, checkpoint=other, **settings).fit(blobs)
    model = tiny(AutoencoderTransformer, checkpoint=path, **settings)
    for n_times in (3, 2):
        killed_after(n_times)
        killed(model, blobs)
        assert path.exists()
    model.fit(blobs)
    assert model.validation_scores_ == expected.validation_scores_
    assert model.loss_curve_ == expected.loss_curve_
    for name, curve in expected.history_.items():
        assert_array_equal(model.history_[name], curve)
    assert_array_equal(model.score_samples(blobs), expected.score_samples(blobs))
    assert not path.exists()


@pytest.mark.parametrize("Estimator", public_estimators())
def test_every_autoencoder_goes_on(Estimator, blobs, path, killed_after):
    settings = {"max_iter": 31, "early_stopping": False, "batch_size": 30}
    expected = tiny(Estimator, **settings).fit(blobs)
    killed_after(28)  # atoms die after 50 steps, and there are two in an epoch
    model = killed(tiny(Estimator, checkpoint=path, **settings), blobs).fit(blobs)
    assert_array_equal(model.transform(blobs), expected.transform(blobs))


@pytest.mark.filterwarnings("ignore:Collapse")  # a few epochs from random weights
def test_modules_with_randomness_of_their_own_go_on(blobs, path, killed_after):
    encoder = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    settings = {"encoder": encoder, "early_stopping": False, "max_iter": 5, "init": "random"}
    expected = tiny(AutoencoderTransformer, **settings).fit(blobs)
    killed_after(3)
    model = killed(tiny(AutoencoderTransformer, checkpoint=path, **settings), blobs).fit(blobs)
    assert_array_equal(model.transform(blobs), expected.transform(blobs))


@pytest.mark.parametrize("make", [lambda: None, lambda: np.random.RandomState(3)])
def test_goes_on_from_the_seed_that_it_began_with(make, blobs, path, killed_after):
    settings = {"random_state": make(), "early_stopping": False, "max_iter": 5}
    before = np.random.get_state()
    expected = tiny(AutoencoderTransformer, **settings).fit(blobs)
    np.random.set_state(before)
    killed_after(3)
    settings = {**settings, "random_state": make()}
    killed(tiny(AutoencoderTransformer, checkpoint=path, **settings), blobs)
    settings["random_state"] = make()
    model = tiny(AutoencoderTransformer, checkpoint=path, **settings).fit(blobs)
    assert_array_equal(model.transform(blobs), expected.transform(blobs))


def test_finished_runs_are_not_trained_again(blobs, path, killed_after, monkeypatch):
    model = tiny(AutoencoderTransformer, checkpoint=path, cv=3, max_iter=4)
    killed_after(4 + 4 + 2)  # in the third fold, before its second epoch
    killed(model, blobs)
    epochs, epoch = [], Trainer._epoch
    monkeypatch.setattr(Trainer, "_epoch", lambda *args: epochs.append(1) or epoch(*args))
    model.fit(blobs)
    assert len(epochs) == 3 + model.best_iter_


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"alpha": 0.5}, r"alpha was 0\.01 and is now 0\.5"),
        ({"hidden_layer_sizes": (9,)}, r"hidden_layer_sizes was \(8,\) and is now \(9,\)"),
        ({"random_state": np.random.RandomState(0)}, "random_state was 0 and is now MT19937"),
        ({"encoder": nn.Linear(4, 2)}, "encoder was None and is now Linear with hash"),
    ],
)
def test_another_fit_is_refused(change, sentence, blobs, path, killed_after):
    killed_after(3)
    model = killed(tiny(AutoencoderTransformer, checkpoint=path), blobs)
    kept = path.read_bytes()
    with pytest.raises(ValueError, match=f"holds another fit.*{sentence}.*Delete the file"):
        model.set_params(**change).fit(blobs)
    assert path.read_bytes() == kept


def test_other_data_are_refused(blobs, path, killed_after):
    killed_after(3)
    model = killed(tiny(AutoencoderTransformer, checkpoint=path), blobs)
    other = blobs.copy()
    other[59, 3] = np.nextafter(other[59, 3], 9)
    for X in (other, blobs.astype(np.float32), blobs[:, ::-1], blobs[:59]):
        with pytest.raises(ValueError, match=r"X was float64 of shape \(60, 4\) with hash"):
            model.fit(X)
    model.set_params(verbose=0, device="cpu", checkpoint=str(path)).fit(np.asfortranarray(blobs))


def test_a_warm_start_goes_on_from_the_same_weights(blobs, path, killed_after):
    settings = {"warm_start": True, "early_stopping": False}
    model = tiny(AutoencoderTransformer, **settings).fit(blobs)
    killed_after(2)
    killed(model.set_params(checkpoint=path), blobs)
    other = tiny(AutoencoderTransformer, checkpoint=path, **settings)
    with pytest.raises(ValueError, match="what it goes on from was Canonical with hash"):
        other.fit(blobs)
    model.fit(blobs)


def test_a_file_of_another_kind_is_left_alone(blobs, path, every_epoch):
    model = tiny(AutoencoderTransformer, checkpoint=path)
    path.write_text("my thesis")
    with pytest.raises(ValueError, match="is a file of another kind; pass another path"):
        model.fit(blobs)
    assert path.read_text() == "my thesis"
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="is a file of another kind"):
        model.fit(blobs)
    save_file({"w": torch.ones(2)}, path)
    with pytest.raises(ValueError, match="is a file of another kind"):
        model.fit(blobs)
    path.unlink()
    path.mkdir()
    with pytest.raises(ValueError, match="is a file of another kind"):
        model.fit(blobs)


def test_a_folder_that_is_not_there_is_named_before_training(blobs, path):
    with pytest.raises(FileNotFoundError, match="in a folder that does not exist; create it"):
        tiny(AutoencoderTransformer, checkpoint=path / "fit").fit(blobs)


def test_a_disk_that_is_full_ends_no_fit(blobs, path, every_epoch, monkeypatch):
    def fsync(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_checkpoint.os, "fsync", fsync)
    with pytest.warns(RuntimeWarning, match="could not be written.*No space left"):
        tiny(AutoencoderTransformer, checkpoint=path).fit(blobs)
    assert list(path.parent.iterdir()) == []


def test_death_while_writing_leaves_the_last_state(blobs, path, killed_after, monkeypatch):
    killed_after(2)
    model = killed(tiny(AutoencoderTransformer, checkpoint=path), blobs)
    kept = path.read_bytes()

    def replace(part, whole):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(_checkpoint.os, "replace", replace)
        killed(model, blobs)
    assert path.read_bytes() == kept
    model.fit(blobs)
    assert not path.exists() and not path.with_name("fit.part").exists()


def test_short_fits_write_nothing(blobs, path, monkeypatch):
    def write(self, runs):
        raise AssertionError

    monkeypatch.setattr(CheckpointFile, "_write", write)
    tiny(AutoencoderTransformer, checkpoint=path).fit(blobs)
    assert list(path.parent.iterdir()) == []


def test_writing_takes_a_share_of_the_time(path, monkeypatch):
    """A write of a second is followed by a hundred without one."""
    now = [0.0]
    monkeypatch.setattr(_checkpoint, "monotonic", lambda: now[0])
    monkeypatch.setattr(_checkpoint.os, "fsync", lambda f: now.__setitem__(0, now[0] + 1))
    with CheckpointFile(path, {}) as checkpoint:
        checkpoint._write([])
        assert checkpoint.due == 1 + 100


def test_ctrl_c_keeps_the_file_and_the_fit_can_go_on(blobs, path, every_epoch, monkeypatch):
    settings = {"early_stopping": False, "max_iter": 6}
    expected = tiny(AutoencoderTransformer, **settings).fit(blobs)
    epochs, epoch = [], Trainer._epoch

    def interrupted(*args):
        epochs.append(1)
        if len(epochs) == 4:
            raise KeyboardInterrupt
        return epoch(*args)

    monkeypatch.setattr(Trainer, "_epoch", interrupted)
    model = tiny(AutoencoderTransformer, checkpoint=path, **settings)
    with pytest.warns(UserWarning, match="interrupted after 3 epochs"):
        model.fit(blobs)
    assert model.n_iter_ == 3 and path.exists()
    assert_array_equal(model.fit(blobs).transform(blobs), expected.transform(blobs))
    assert len(epochs) == 4 + 3 and not path.exists()


def test_a_file_gives_back_what_it_was_given(path):
    tree = {"a": [1, 0.1, -inf, None, "text"], "t": torch.arange(3.0), "n": {"u": torch.ones(())}}
    tree["again"] = tree["t"]
    path.write_bytes(packed(tree))
    back = unpacked(path)
    assert back["a"] == tree["a"]
    for name in ("t", "again"):
        assert torch.equal(back[name], tree["t"])
    assert torch.equal(back["n"]["u"], torch.ones(()))
    path.write_bytes(packed({"a": nan}))
    assert unpacked(path)["a"] != unpacked(path)["a"]


def test_a_fit_without_a_checkpoint_writes_nothing(blobs, monkeypatch):
    monkeypatch.setattr(CheckpointFile, "__enter__", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiny(AutoencoderTransformer).fit(blobs)
