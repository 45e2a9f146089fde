"""A safetensors file whose metadata is JSON under a checksum of every byte."""

import hashlib
import json
import os
import secrets
from pathlib import Path
from typing import Any

import numpy as np

VERSION = 1
"""Of the format; a file of a later one is refused."""

OPENING = rb'{"__metadata__":{"skae":"{\"checksum\":\"'
"""How the header of every file of skae begins; the checksum follows."""

START = 8 + len(OPENING)
STOP = START + 2 * hashlib.sha256().digest_size

MAX_HEADER = 100_000_000
"""Bytes of a header, at most: the limit of safetensors itself."""


class FileFormatError(ValueError):
    """A file that is not what it should be: another format, cut short, damaged, or too new."""


def seal(content: Any, arrays: dict[str, np.ndarray]) -> bytes:
    """The bytes of a file.

    Parameters
    ----------
    content : object
        What JSON can hold.
    arrays : dict of str to ndarray
        In C order.

    Returns
    -------
    data : bytes
        The same ones for the same content.

    Examples
    --------
    >>> import numpy as np
    >>> from skae.files import seal, unseal
    >>> unseal(seal({"epoch": 3}, {"weight": np.arange(2.0)}))
    ({'epoch': 3}, {'weight': array([0., 1.])})
    """
    from safetensors.numpy import save

    blank = "0" * (STOP - START)
    text = json.dumps(
        {"checksum": blank, "version": VERSION, "content": content}, separators=(",", ":")
    )
    data = bytearray(save(arrays, metadata={"skae": text}))
    assert data[8:START] == OPENING, "safetensors writes its metadata first"
    data[START:STOP] = checksum(data)
    return bytes(data)


def unseal(data: bytes) -> tuple[Any, dict[str, np.ndarray]]:
    """What `seal` was given.

    Parameters
    ----------
    data : bytes
        Of a file.

    Returns
    -------
    content : object
        What JSON holds.
    arrays : dict of str to ndarray
        Writable.

    Raises
    ------
    FileFormatError
        If they are not the bytes of a file of skae, all of them, unchanged since they were written
        by this version or an earlier one.
    """
    from safetensors.numpy import load

    check_opening(data[:START], len(data))
    if data[START:STOP] != checksum(data):
        raise FileFormatError(
            "The file is damaged: its checksum does not match its contents. It was cut short, "
            "changed or not written to its end; take a copy that is whole, or save the estimator "
            "anew."
        )
    try:
        arrays = load(data)
        metadata = json.loads(data[8 : 8 + header_size(data)])["__metadata__"]
        document = json.loads(metadata["skae"])
        version, content = document["version"], document["content"]
    except Exception as error:  # whoever forges a checksum may forge the rest
        raise FileFormatError(f"The file is not one that skae writes ({error}).") from error
    if version != VERSION:
        raise FileFormatError(
            f"The file has format {version!r}, but this version of skae reads format {VERSION}; "
            "upgrade skae, or save the estimator with the version at hand."
        )
    return content, arrays


def checksum(data: bytes | bytearray) -> bytes:
    """SHA-256, in hexadecimal digits, of all bytes but the checksum's own."""
    digest = hashlib.sha256(data[:START])
    digest.update(memoryview(data)[STOP:])
    return digest.hexdigest().encode()


def header_size(start: bytes) -> int:
    """The number that a safetensors file begins with."""
    return int.from_bytes(start[:8], "little")


def check_opening(start: bytes, size: int) -> None:
    """Refuse a file by its first bytes and its size, before more of it is read."""
    if start[8:] != OPENING:
        raise FileFormatError(
            "This is not a file of skae; it reads what `save` of its estimators has written, and "
            "no pickle, joblib, PyTorch or other safetensors file."
        )
    if not len(OPENING) < header_size(start) <= min(size - 8, MAX_HEADER):
        raise FileFormatError(
            f"The file is damaged: its header claims {header_size(start):,} bytes, but the file "
            f"has {size:,}; take a copy that is whole, or save the estimator anew."
        )


def write(path: str | os.PathLike, data: bytes) -> None:
    """Write a file whole or not at all.

    Parameters
    ----------
    path : str or path-like
        Where; what is there already stays until the new file is complete.
    data : bytes
        From `seal`.

    Raises
    ------
    OSError
        If the file cannot be written.
    """
    path = Path(path).resolve()  # a link goes on to point at the file
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:  # Ctrl-C, too
        temporary.unlink(missing_ok=True)
        raise


def read(path: str | os.PathLike) -> bytes:
    """The bytes of a file, for `unseal`.

    Parameters
    ----------
    path : str or path-like
        Where.

    Returns
    -------
    data : bytes
        All of them.

    Raises
    ------
    FileFormatError
        If the first of them are not those of a file of skae; the others are not read then.
    OSError
        If the file cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(START)
        check_opening(start, os.fstat(file.fileno()).st_size)
        return start + file.read()
