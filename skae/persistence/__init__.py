"""Estimators from files, and in the formats of others."""

from skae.persistence._loading import load, loads
from skae.persistence._trusted import trusted_types

__all__ = ["load", "loads", "trusted_types"]
