"""Missing cells filled in by autoencoders."""

from skae.impute._imputer import AutoencoderImputer

__all__ = ["AutoencoderImputer"]
