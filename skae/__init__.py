"""Autoencoders where you reach for PCA: scikit-learn transformers on PyTorch."""

from skae import data, io, onnx
from skae._version import __version__
from skae.autoencoders import (
    AutoencoderTransformer,
    DenoisingAutoencoder,
    MaskedAutoencoder,
    SparseAutoencoder,
    StackedAutoencoder,
    TabularAutoencoder,
    VAETransformer,
)
from skae.persistence import load

__all__ = [
    "AutoencoderTransformer",
    "DenoisingAutoencoder",
    "MaskedAutoencoder",
    "SparseAutoencoder",
    "StackedAutoencoder",
    "TabularAutoencoder",
    "VAETransformer",
    "__version__",
    "data",
    "io",
    "load",
    "onnx",
]
