"""Estimators from files, and in the formats of others."""

from skae.persistence._loading import load, loads
from skae.persistence._onnx import to_onnx
from skae.persistence._skl2onnx import register
from skae.persistence._trusted import trusted_types

__all__ = ["load", "loads", "register", "to_onnx", "trusted_types"]
