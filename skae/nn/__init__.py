"""Modules and losses: torch only."""

from skae.nn._attention import FeatureTransformer
from skae.nn._attribution import shares_along_path
from skae.nn._canonical import Canonical, CodeMap, CodeOrder
from skae.nn._completion import Completion, Correction
from skae.nn._corruptions import CORRUPTIONS, Corruption
from skae.nn._density import GaussianDensity, SpikeAndSlabDensity, slopes
from skae.nn._layers import WEIGHT_INITS
from skae.nn._likelihoods import LIKELIHOODS
from skae.nn._losses import RECONSTRUCTIONS, Reconstruction
from skae.nn._masked import GapCanonical, MaskedAutoencoder
from skae.nn._missing import GaussianFill
from skae.nn._mixed import MixedAutoencoder, MixedReconstruction
from skae.nn._mixed_density import MixedCanonical, MixedDensity
from skae.nn._module import Autoencoder, Turn
from skae.nn._networks import (
    ACTIVATIONS,
    NORMALIZATIONS,
    Coder,
    DenseNetwork,
    ForeignNetwork,
    coders,
)
from skae.nn._perceptual import PerceptualError
from skae.nn._sparse import SPARSITIES, SparseAutoencoder
from skae.nn._stacked import StackedAutoencoder
from skae.nn._tensors import Tensors
from skae.nn._variational import VariationalAutoencoder
from skae.nn._weightless import Weightless

__all__ = [
    "ACTIVATIONS",
    "CORRUPTIONS",
    "LIKELIHOODS",
    "NORMALIZATIONS",
    "RECONSTRUCTIONS",
    "SPARSITIES",
    "WEIGHT_INITS",
    "Autoencoder",
    "Canonical",
    "CodeMap",
    "CodeOrder",
    "Coder",
    "Completion",
    "Correction",
    "Corruption",
    "DenseNetwork",
    "FeatureTransformer",
    "ForeignNetwork",
    "GapCanonical",
    "GaussianDensity",
    "GaussianFill",
    "MaskedAutoencoder",
    "MixedAutoencoder",
    "MixedCanonical",
    "MixedDensity",
    "MixedReconstruction",
    "PerceptualError",
    "Reconstruction",
    "SparseAutoencoder",
    "SpikeAndSlabDensity",
    "StackedAutoencoder",
    "Tensors",
    "Turn",
    "VariationalAutoencoder",
    "Weightless",
    "coders",
    "shares_along_path",
    "slopes",
]
