"""Outlier detection with anything that scores rows."""

from skae.outliers._detector import AutoencoderOutlierDetector

__all__ = ["AutoencoderOutlierDetector"]
