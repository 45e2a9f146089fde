"""Autoencoders where you reach for PCA: scikit-learn transformers on PyTorch."""

from skae import io, onnx
from skae.autoencoders import (
    AutoencoderTransformer,
    DenoisingAutoencoder,
    SparseAutoencoder,
    VAETransformer,
)
from skae.persistence import load

__version__ = "0.1.0"
__all__ = [
    "AutoencoderTransformer",
    "DenoisingAutoencoder",
    "SparseAutoencoder",
    "VAETransformer",
    "io",
    "load",
    "onnx",
]
