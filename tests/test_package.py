"""The house: what is imported when, what stands where."""

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import skae

SOURCES = sorted(Path(skae.__file__).parent.rglob("*.py"))


def places(text):
    """Source files that hold a piece of text, as often as they do."""
    return [p.name for p in SOURCES for line in p.read_text().splitlines() if text in line]


def test_imports_without_anything_optional():
    script = "import sys; sys.modules.update(dict.fromkeys({!r})); import skae"
    optional = ["pandas", "polars", "matplotlib", "rich"]
    optional += ["onnx", "onnxscript", "skl2onnx", "onnxruntime", "skops"]
    subprocess.run([sys.executable, "-c", script.format(optional)], check=True)


def test_there_is_one_training_loop():
    assert places(".backward(") == ["_step.py"]


@pytest.mark.parametrize("crossing", ["from_numpy(", ".numpy()", "torch.tensor("])
def test_arrays_and_tensors_meet_in_one_file(crossing):
    assert set(places(crossing)) <= {"_batches.py"}


@pytest.mark.parametrize("unsafe", ["pickle.load", "torch.load("])
def test_nothing_is_loaded_unsafely(unsafe):
    assert places(unsafe) == []


def test_files_have_one_idea():
    for path in SOURCES:
        assert len(path.read_text().splitlines()) <= 380, path


def test_is_typed():
    assert files("skae").joinpath("py.typed").is_file()
