"""Autoencoders where you reach for PCA: scikit-learn transformers on PyTorch."""

from skae import data, io, onnx
from skae._version import __version__
from skae.autoencoders import (
    AdversarialAutoencoder,
    AutoencoderTransformer,
    ContractiveAutoencoder,
    ConvolutionalAutoencoder,
    DenoisingAutoencoder,
    LadderAutoencoder,
    MaskedAutoencoder,
    RecurrentAutoencoder,
    SparseAutoencoder,
    StackedAutoencoder,
    TabularAutoencoder,
    VAETransformer,
    WassersteinAutoencoder,
)
from skae.persistence import load

__all__ = [
    "AdversarialAutoencoder",
    "AutoencoderTransformer",
    "ContractiveAutoencoder",
    "ConvolutionalAutoencoder",
    "DenoisingAutoencoder",
    "LadderAutoencoder",
    "MaskedAutoencoder",
    "RecurrentAutoencoder",
    "SparseAutoencoder",
    "StackedAutoencoder",
    "TabularAutoencoder",
    "VAETransformer",
    "WassersteinAutoencoder",
    "__version__",
    "data",
    "io",
    "load",
    "onnx",
]
