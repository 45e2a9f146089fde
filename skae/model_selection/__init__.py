"""Choosing the width of a code, for little more than the price of a fit."""

from skae.model_selection._search import BottleneckSearchCV

__all__ = ["BottleneckSearchCV"]
