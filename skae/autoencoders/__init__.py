"""The estimators, one file for each."""

from skae.autoencoders._adversarial import AdversarialAutoencoder
from skae.autoencoders._autoencoder import AutoencoderTransformer
from skae.autoencoders._base import BaseAutoencoder
from skae.autoencoders._contractive import ContractiveAutoencoder
from skae.autoencoders._convolutional import ConvolutionalAutoencoder
from skae.autoencoders._denoising import DenoisingAutoencoder
from skae.autoencoders._ladder import LadderAutoencoder
from skae.autoencoders._masked import MaskedAutoencoder
from skae.autoencoders._recurrent import RecurrentAutoencoder
from skae.autoencoders._sparse import SparseAutoencoder
from skae.autoencoders._stacked import StackedAutoencoder
from skae.autoencoders._tabular import TabularAutoencoder
from skae.autoencoders._vae import VAETransformer
from skae.autoencoders._wasserstein import WassersteinAutoencoder

__all__ = [
    "AdversarialAutoencoder",
    "AutoencoderTransformer",
    "BaseAutoencoder",
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
]
