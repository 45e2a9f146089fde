"""The plain autoencoder."""

from dataclasses import dataclass

from skae.autoencoders._base import BaseAutoencoder


@dataclass(eq=False, repr=False, kw_only=True)
class AutoencoderTransformer(BaseAutoencoder):
    """The plain autoencoder."""
