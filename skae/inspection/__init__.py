"""Looking into modules and fits."""

from skae.inspection._gradients import check_gradients

__all__ = ["check_gradients"]
