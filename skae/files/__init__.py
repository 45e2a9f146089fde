"""One file for a tree of values and arrays: no code in it, and nothing missing from it."""

from skae.files._sealed import FileFormatError, read, seal, unseal, write
from skae.files._tree import TreeError, pack, unpack

__all__ = ["FileFormatError", "TreeError", "pack", "read", "seal", "unpack", "unseal", "write"]
