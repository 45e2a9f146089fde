"""The parameters that every autoencoder has, declared once."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skae.nn import ACTIVATIONS, NORMALIZATIONS, RECONSTRUCTIONS, WEIGHT_INITS
from skae.training import LEARNING_RATES, SOLVERS


@dataclass(eq=False, repr=False, kw_only=True)
class Parameters:
    """Names, defaults and ranges; `AutoencoderTransformer` says what they mean."""

    n_components: int | float | None = field(default=None, kw_only=False)
    hidden_layer_sizes: Sequence[int] | str = "auto"
    decoder_layer_sizes: Sequence[int] | None = None
    activation: str = "silu"
    loss: str = "squared_error"
    normalization: str | None = None
    dropout: float | str = "auto"
    tied_weights: bool = False
    init: str = "pca"
    weight_init: str = "xavier"
    encoder: nn.Module | None = None
    decoder: nn.Module | None = None
    solver: str = "adamw"
    alpha: float = 0.01
    momentum: float = 0.9
    batch_size: int | str = "auto"
    learning_rate: str = "one_cycle"
    learning_rate_init: float = 0.005
    max_iter: int | str = "auto"
    early_stopping: bool = True
    validation_fraction: float = 0.1
    cv: int | str | None = "auto"
    n_iter_no_change: int | None = None
    tol: float = 1e-4
    warm_start: bool = False
    whiten: bool = False
    precision: str = "float32"
    device: str = "auto"
    random_state: int | np.random.RandomState | None = None
    verbose: int = 0

    _parameter_constraints: ClassVar[dict[str, list]] = {
        "n_components": [
            Interval(Integral, 1, None, closed="left"),
            Interval(Real, 0, 1, closed="neither"),
            None,
        ],
        "hidden_layer_sizes": ["array-like", StrOptions({"auto"})],
        "decoder_layer_sizes": ["array-like", None],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "loss": [StrOptions(set(RECONSTRUCTIONS))],
        "normalization": [StrOptions({name for name in NORMALIZATIONS if name}), None],
        "dropout": [Interval(Real, 0, 1, closed="left"), StrOptions({"auto"})],
        "tied_weights": ["boolean"],
        "init": [StrOptions({"pca", "random"})],
        "weight_init": [StrOptions(set(WEIGHT_INITS))],
        "encoder": [nn.Module, None],
        "decoder": [nn.Module, None],
        "solver": [StrOptions(set(SOLVERS))],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "learning_rate": [StrOptions(set(LEARNING_RATES))],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "cv": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"}), None],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "whiten": ["boolean"],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }
