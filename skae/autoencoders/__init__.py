"""The estimators, one file for each."""

from skae.autoencoders._autoencoder import AutoencoderTransformer
from skae.autoencoders._base import BaseAutoencoder
from skae.autoencoders._denoising import DenoisingAutoencoder
from skae.autoencoders._masked import MaskedAutoencoder
from skae.autoencoders._sparse import SparseAutoencoder
from skae.autoencoders._stacked import StackedAutoencoder
from skae.autoencoders._tabular import TabularAutoencoder
from skae.autoencoders._vae import VAETransformer

__all__ = [
    "AutoencoderTransformer",
    "BaseAutoencoder",
    "DenoisingAutoencoder",
    "MaskedAutoencoder",
    "SparseAutoencoder",
    "StackedAutoencoder",
    "TabularAutoencoder",
    "VAETransformer",
]
