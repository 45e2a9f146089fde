"""Modules and losses: torch only."""

from skae.nn._losses import RECONSTRUCTIONS, Reconstruction
from skae.nn._module import Autoencoder, Canonical, Turn
from skae.nn._networks import (
    ACTIVATIONS,
    NORMALIZATIONS,
    WEIGHT_INITS,
    Coder,
    DenseNetwork,
    ForeignNetwork,
    coders,
)

__all__ = [
    "ACTIVATIONS",
    "NORMALIZATIONS",
    "RECONSTRUCTIONS",
    "WEIGHT_INITS",
    "Autoencoder",
    "Canonical",
    "Coder",
    "DenseNetwork",
    "ForeignNetwork",
    "Reconstruction",
    "Turn",
    "coders",
]
