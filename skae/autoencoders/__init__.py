"""The estimators, one file for each."""

from skae.autoencoders._autoencoder import AutoencoderTransformer
from skae.autoencoders._base import BaseAutoencoder
from skae.autoencoders._convolutional import ConvolutionalAutoencoder
from skae.autoencoders._denoising import DenoisingAutoencoder
from skae.autoencoders._recurrent import RecurrentAutoencoder
from skae.autoencoders._sparse import SparseAutoencoder
from skae.autoencoders._tabular import TabularAutoencoder
from skae.autoencoders._vae import VAETransformer

__all__ = [
    "AutoencoderTransformer",
    "BaseAutoencoder",
    "ConvolutionalAutoencoder",
    "DenoisingAutoencoder",
    "RecurrentAutoencoder",
    "SparseAutoencoder",
    "TabularAutoencoder",
    "VAETransformer",
]
