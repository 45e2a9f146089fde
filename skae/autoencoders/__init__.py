"""The estimators, one file for each."""

from skae.autoencoders._autoencoder import AutoencoderTransformer
from skae.autoencoders._base import BaseAutoencoder

__all__ = ["AutoencoderTransformer", "BaseAutoencoder"]
