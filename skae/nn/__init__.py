"""Modules and losses: torch only."""

from skae.nn._aggregated import (
    AdversarialAutoencoder,
    WassersteinAutoencoder,
    discriminator,
)
from skae.nn._attention import FeatureTransformer
from skae.nn._attribution import shares_along_path
from skae.nn._canonical import Canonical, CodeMap, CodeOrder
from skae.nn._completion import Completion, Correction
from skae.nn._contractive import ContractiveAutoencoder
from skae.nn._convolutions import DOWNSAMPLINGS, UPSAMPLINGS, convolutional_coders
from skae.nn._corruptions import CORRUPTIONS, Corruption
from skae.nn._density import GaussianDensity, SpikeAndSlabDensity, slopes
from skae.nn._ladder import LadderAutoencoder, LadderCanonical
from skae.nn._layers import WEIGHT_INITS
from skae.nn._least_squares import ends_in_least_squares, with_least_squares
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
    without_silent_networks,
)
from skae.nn._perceptual import PerceptualError
from skae.nn._priors import PRIORS
from skae.nn._recurrence import (
    RECURRENCES,
    RecurrentAutoencoder,
    SeriesCanonical,
    recurrent_coders,
)
from skae.nn._sparse import SPARSITIES, SparseAutoencoder
from skae.nn._stack import Stack, embed, extract, likeness, widens
from skae.nn._stacked import StackedAutoencoder
from skae.nn._tensors import Tensors
from skae.nn._variational import VariationalAutoencoder
from skae.nn._weightless import Weightless

__all__ = [
    "ACTIVATIONS",
    "CORRUPTIONS",
    "DOWNSAMPLINGS",
    "LIKELIHOODS",
    "NORMALIZATIONS",
    "PRIORS",
    "RECONSTRUCTIONS",
    "RECURRENCES",
    "SPARSITIES",
    "UPSAMPLINGS",
    "WEIGHT_INITS",
    "AdversarialAutoencoder",
    "Autoencoder",
    "Canonical",
    "CodeMap",
    "CodeOrder",
    "Coder",
    "Completion",
    "ContractiveAutoencoder",
    "Correction",
    "Corruption",
    "DenseNetwork",
    "FeatureTransformer",
    "ForeignNetwork",
    "GapCanonical",
    "GaussianDensity",
    "GaussianFill",
    "LadderAutoencoder",
    "LadderCanonical",
    "MaskedAutoencoder",
    "MixedAutoencoder",
    "MixedCanonical",
    "MixedDensity",
    "MixedReconstruction",
    "PerceptualError",
    "Reconstruction",
    "RecurrentAutoencoder",
    "SeriesCanonical",
    "SparseAutoencoder",
    "SpikeAndSlabDensity",
    "Stack",
    "StackedAutoencoder",
    "Tensors",
    "Turn",
    "VariationalAutoencoder",
    "WassersteinAutoencoder",
    "Weightless",
    "coders",
    "convolutional_coders",
    "discriminator",
    "embed",
    "ends_in_least_squares",
    "extract",
    "likeness",
    "recurrent_coders",
    "shares_along_path",
    "slopes",
    "widens",
    "with_least_squares",
    "without_silent_networks",
]
