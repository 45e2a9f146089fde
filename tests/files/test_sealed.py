"""A file is whole, or it is refused."""

import os
import struct

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from safetensors import safe_open
from safetensors.numpy import save

from skae.files import FileFormatError, read, seal, unseal, write
from skae.files import _sealed as sealed

CONTENT = {"words": ['"checksum":"', "é"], "number": 0.1}
ARRAYS = {"weight": np.arange(6.0).reshape(2, 3), "none": np.zeros((0, 2), np.float32)}


def forge(data: bytes) -> bytes:
    """The same bytes with a checksum that fits."""
    return data[: sealed.START] + sealed.checksum(data) + data[sealed.STOP :]


def test_a_sealed_file_is_a_safetensors_file(tmp_path):
    write(tmp_path / "file", seal(CONTENT, ARRAYS))
    with safe_open(tmp_path / "file", "np") as file:
        assert set(file.keys()) == set(ARRAYS)
        assert_array_equal(file.get_tensor("weight"), ARRAYS["weight"])


def test_the_same_content_makes_the_same_bytes():
    assert seal(CONTENT, ARRAYS) == seal(CONTENT, dict(reversed(ARRAYS.items())))


def test_it_comes_back():
    content, arrays = unseal(seal(CONTENT, ARRAYS))
    assert content == CONTENT and set(arrays) == set(ARRAYS)
    for name, array in arrays.items():
        assert array.dtype == ARRAYS[name].dtype and array.flags.writeable
        assert_array_equal(array, ARRAYS[name])


def test_every_bit_counts():
    data = seal(CONTENT, ARRAYS)
    for i in range(8 * len(data)):
        changed = bytearray(data)
        changed[i // 8] ^= 1 << i % 8
        with pytest.raises(FileFormatError):
            unseal(bytes(changed))


def test_every_byte_is_needed_and_no_other():
    data = seal(CONTENT, ARRAYS)
    for length in range(len(data)):
        with pytest.raises(FileFormatError):
            unseal(data[:length])
    with pytest.raises(FileFormatError, match="damaged"):
        unseal(data + b"\0")


@pytest.mark.parametrize(
    "data",
    [b"", b"\x80\x04K\x01.", b"PK\3\4" + bytes(500), bytes(500), save({"a": np.ones(3)})],
    ids=["empty", "pickle", "zip", "zeros", "safetensors"],
)
def test_foreign_files_are_told_apart(data):
    with pytest.raises(FileFormatError, match="not a file of skae"):
        unseal(data)


@pytest.mark.parametrize("size", [0, 1, 10**6, 10**12, 2**64 - 1])
def test_a_header_of_an_odd_size_is_refused_before_it_is_read(size):
    with pytest.raises(FileFormatError, match="header claims"):
        unseal(struct.pack("<Q", size) + seal(CONTENT, ARRAYS)[8:])


@pytest.mark.parametrize(
    "old, new",
    [
        (b'"F64"', b'"F99"'),
        (b"[2,3]", b"[2,4]"),
        (b"[0,48]", b"[0,49]"),
        (b"0.1", b"[[["),
        (b"[2,3]", b"[9,9]"),
        (b'version\\":1', b'version\\":x'),
        (b"content", b"comment"),
    ],
)
def test_a_forged_checksum_does_not_help_what_it_covers(old, new):
    data = seal(CONTENT, ARRAYS)
    assert data.count(old) == 1
    with pytest.raises(FileFormatError, match="not one that skae writes"):
        unseal(forge(data.replace(old, new)))


def test_deep_json_is_refused():
    depth = 100_000
    text = b'\\"' + b"x" * (2 * depth - 4) + b'\\"'
    data = seal("x" * (2 * depth - 4), {})
    assert data.count(text) == 1
    with pytest.raises(FileFormatError, match="not one that skae writes"):
        unseal(forge(data.replace(text, b"[" * depth + b"]" * depth)))


def test_a_later_format_asks_for_an_upgrade(monkeypatch):
    monkeypatch.setattr(sealed, "VERSION", 2)
    data = seal(CONTENT, ARRAYS)
    monkeypatch.undo()
    with pytest.raises(FileFormatError, match=r"format 2, but .* reads format 1; upgrade skae"):
        unseal(data)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "file"
    write(path, b"old")

    def fail(descriptor):
        raise OSError("no space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        write(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_goes_on_to_point_at_the_file(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "file")
    write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "file").read_bytes() == b"new"


def test_a_foreign_file_is_not_read_to_its_end(tmp_path):
    with open(tmp_path / "large", "wb") as file:
        file.truncate(10**13)  # a hole; to read it would take ten terabytes
    with pytest.raises(FileFormatError, match="not a file of skae"):
        read(tmp_path / "large")
