"""The parameters that every autoencoder has, declared once, and what they come to for a table."""

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions
from torch import nn

from skae.autoencoders._sizes import (
    activation,
    batch_rows,
    dropout_rate,
    epochs,
    folds,
    hidden_widths,
    peak_learning_rate,
)
from skae.nn import ACTIVATIONS, NORMALIZATIONS, RECONSTRUCTIONS, WEIGHT_INITS
from skae.training import LEARNING_RATES, SOLVERS, Trainer


@dataclass(eq=False, repr=False, kw_only=True)
class Parameters:
    """Names, defaults and ranges; `AutoencoderTransformer` says what they mean."""

    n_components: int | float | None = field(default=None, kw_only=False)
    hidden_layer_sizes: Sequence[int] | str = "auto"
    decoder_layer_sizes: Sequence[int] | None = None
    activation: str = "auto"
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
    learning_rate_init: float | str = "auto"
    max_iter: int | str = "auto"
    early_stopping: bool = True
    validation_fraction: float = 0.1
    cv: int | str | None = "auto"
    refit: bool = True
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
        "activation": [StrOptions({"auto", *ACTIVATIONS})],
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
        "learning_rate_init": [Interval(Real, 0, None, closed="neither"), StrOptions({"auto"})],
        "max_iter": [Interval(Integral, 0, None, closed="left"), StrOptions({"auto"})],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "cv": [Interval(Integral, 2, None, closed="left"), StrOptions({"auto"}), None],
        "refit": ["boolean"],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left"), None],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "whiten": ["boolean"],
        "precision": [StrOptions({"float32", "bfloat16"})],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def _check_architecture(self) -> None:
        """Refuse what no single range can."""
        for name in ("hidden_layer_sizes", "decoder_layer_sizes"):
            widths = getattr(self, name)
            if widths is None or isinstance(widths, str):
                continue
            if not all(isinstance(width, Integral) and int(width) > 0 for width in widths):
                raise ValueError(
                    f"{name}={widths!r} must hold positive integers; leave a layer out to go "
                    "without it."
                )
        mirrored = self.decoder_layer_sizes is None
        if self.tied_weights and not (mirrored and self.encoder is self.decoder is None):
            raise ValueError(
                "tied_weights=True needs a decoder that mirrors the encoder; leave "
                "decoder_layer_sizes, encoder and decoder None, or set tied_weights=False."
            )
        if self.normalization == "batch" and self.batch_size == 1:
            raise ValueError(
                "normalization='batch' needs more than one row in a batch, but batch_size=1; pass "
                "a larger batch_size or normalization='layer'."
            )

    def _check_bounds(self, X: np.ndarray) -> None:
        """Refuse data that the loss is not defined on."""
        bounds = RECONSTRUCTIONS[self.loss].bounds
        if bounds is not None and (X.min() < bounds[0] or X.max() > bounds[1]):
            raise ValueError(
                f"loss={self.loss!r} needs X in [{bounds[0]:g}, {bounds[1]:g}], but X ranges from "
                f"{X.min():g} to {X.max():g}; scale it with MinMaxScaler or take "
                "loss='squared_error'."
            )

    def _widths(self, shape: tuple[int, int]) -> tuple[int, ...]:
        """The encoder's hidden widths."""
        return tuple(auto(self.hidden_layer_sizes, hidden_widths, *shape))

    def _architecture(self, shape: tuple[int, int], n_components: int) -> dict[str, Any]:
        """All that the module depends on, kept with its weights whatever `set_params` does."""
        n_samples, n_features = shape
        hidden = self._widths(shape)
        decoder = hidden[::-1] if self.decoder_layer_sizes is None else self.decoder_layer_sizes
        return {
            "n_features": n_features,
            "n_components": n_components,
            "hidden_layer_sizes": hidden,
            "decoder_layer_sizes": tuple(decoder),
            "activation": auto(self.activation, activation, n_samples),
            "normalization": self.normalization,
            "dropout": auto(self.dropout, dropout_rate, n_samples, n_features),
            "weight_init": self.weight_init,
            "tied_weights": self.tied_weights,
            "linear_path": self.init == "pca",
            "custom": tuple(
                None if part is None else deepcopy(part).cpu()
                for part in (self.encoder, self.decoder)
            ),
            "loss": self.loss,
        }

    def _trainer(self, shape: tuple[int, int]) -> Trainer:
        """How to train on a table."""
        widest = max(self._widths(shape), default=0)
        return Trainer(
            batch_size=int(auto(self.batch_size, batch_rows, shape[0])),
            solver=self.solver,
            learning_rate=self.learning_rate,
            learning_rate_init=auto(self.learning_rate_init, peak_learning_rate, widest),
            alpha=self.alpha,
            momentum=self.momentum,
            precision=self.precision,
        )

    def _n_epochs(self, n_samples: int, batch_size: int) -> int:
        """Length of the schedule; a code with all components has nothing to learn."""
        if self.n_components is None:
            return 0
        return auto(self.max_iter, epochs, n_samples, batch_size)

    def _held_out(self, n_samples: int) -> float | int:
        """The share of the rows, or the number of folds, to choose the weights by; 0 is none."""
        if not self.early_stopping:
            return 0
        return auto(self.cv, folds, n_samples) or self.validation_fraction


def auto(value: Any, choose: Callable, *arguments: int) -> Any:
    """A parameter as given, or what "auto" stands for.

    Parameters
    ----------
    value : object
        The parameter.
    choose : callable
        Makes the choice.
    *arguments : int
        What it is made by.

    Returns
    -------
    value : object
        Never "auto".
    """
    return choose(*arguments) if isinstance(value, str) and value == "auto" else value
