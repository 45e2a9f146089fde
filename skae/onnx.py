"""Estimators as ONNX models; takes ``pip install 'skae[onnx]'``."""

from skae.persistence import register, to_onnx

__all__ = ["register", "to_onnx"]
