"""Estimators in files: what `skae.load` reads, and what skops may trust."""

from skae.files import FileFormatError
from skae.persistence import load, trusted_types

__all__ = ["FileFormatError", "load", "trusted_types"]
