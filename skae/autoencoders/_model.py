"""What the parameters come to for a table: a module, its start, its training, how it is read."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from skae.autoencoders._canonical import CodeAxes, canonical_basis
from skae.autoencoders._corruption import noise_from
from skae.autoencoders._density import residual_variance
from skae.autoencoders._parameters import Parameters
from skae.autoencoders._reading import Reading
from skae.autoencoders._sizes import (
    activation,
    auto,
    batch_rows,
    dropout_rate,
    epochs,
    folds,
    hidden_widths,
    peak_learning_rate,
)
from skae.autoencoders._start import (
    Axes,
    Units,
    denoising_axes,
    moments_alike,
    principal_axes,
)
from skae.autoencoders._streaming import StreamedTable, check_columns
from skae.autoencoders._table import Table, checked
from skae.autoencoders._warnings import COLLAPSE, Idleness
from skae.data import Source
from skae.nn import Autoencoder, Canonical, Coder, Tensors, coders
from skae.training import Trainer

MAX_FILTERED = 2048
"""Features up to which the best linear denoiser, of all their covariances, is the start."""


@dataclass(eq=False, repr=False, kw_only=True)
class Model(Parameters):
    """What a variant may have of its own, each a method that the base calls."""

    _module: ClassVar[type[Autoencoder]] = Autoencoder
    _coders: ClassVar[Callable[..., tuple[Coder, Coder]]] = staticmethod(coders)
    _canonical: ClassVar[type[Canonical]] = Canonical
    _is_lossless: ClassVar[bool] = True  # if the code is as wide as the data
    _axes: ClassVar[Callable[..., CodeAxes]] = staticmethod(canonical_basis)
    _idleness: ClassVar[Idleness] = COLLAPSE

    def _checked(self, X: Any, *, reset: bool) -> np.ndarray:
        """Rows as an array of floats, of which NaN are missing."""
        return checked(self, X, reset=reset)

    def _labels(self, y: Any, X: np.ndarray, *, reset: bool) -> Any:
        """What a variant makes of y; None is nothing, as of a transformer."""
        return None

    def _streamed(self, source: Source, sample_weight: Any) -> StreamedTable:
        """What to learn from where rows are read in blocks."""
        table = StreamedTable.from_source(source, sample_weight, self.cv)
        check_columns(self, source)
        return table

    def _check_architecture(self) -> None:
        super()._check_architecture()
        if self.architecture != "dense" and self._coders is not coders:
            raise ValueError(
                f"{type(self).__name__} has networks of its own, but architecture="
                f"{self.architecture!r}; leave it 'dense'."
            )

    def _as_given(self, X: np.ndarray) -> Any:
        """The same rows as a user gives them."""
        return X

    def _widths(self, shape: tuple[int, int]) -> tuple[int, ...]:
        """The encoder's hidden widths."""
        return tuple(auto(self.hidden_layer_sizes, hidden_widths, *shape))

    def _architecture(
        self, shape: tuple[int, int], noise: dict[str, Any] | None, n_components: int
    ) -> dict[str, dict[str, Any]]:
        """All that the module depends on, kept with its weights whatever `set_params` does."""
        n_samples, n_features = shape
        hidden = self._widths(shape)
        decoder = hidden[::-1] if self.decoder_layer_sizes is None else self.decoder_layer_sizes
        own = {"architecture": self.architecture} if self._coders is coders else {}
        return {
            "coders": own
            | {
                "n_features": n_features,
                "n_components": n_components,
                "hidden_layer_sizes": hidden,
                "decoder_layer_sizes": tuple(decoder),
                "activation": auto(self.activation, activation, n_samples),
                "normalization": self.normalization,
                "residual": self.residual,
                "dropout": auto(self.dropout, dropout_rate, n_samples, n_features),
                "weight_init": self.weight_init,
                "tied_weights": self.tied_weights,
                "linear_path": self._has_linear_start(),
                "custom": tuple(
                    None if part is None else deepcopy(part).cpu()
                    for part in (self.encoder, self.decoder)
                ),
            },
            "module": {"loss": self.loss, "corruption": noise, "trim": self.trim},
        }

    def _trainer(self, shape: tuple[int, int]) -> Trainer:
        """How to train on a table."""
        widest = max(self._widths(shape), default=0)
        batch_size = int(auto(self.batch_size, batch_rows, shape[0]))
        shortness = 1.0
        if self.corruption is None:  # noise in the rows makes gradients noisy enough
            n_epochs = max(1, self._n_epochs(shape[0], batch_size))
            shortness = epochs(shape[0], batch_size) / n_epochs
        return Trainer(
            batch_size=batch_size,
            solver=self.solver,
            learning_rate=self.learning_rate,
            learning_rate_init=auto(self.learning_rate_init, peak_learning_rate, widest, shortness),
            alpha=self.alpha,
            momentum=self.momentum,
            precision=self.precision,
        )

    def _n_epochs(self, n_samples: int, batch_size: int) -> int:
        """Length of the schedule; 0 where PCA has nothing to lose."""
        if self._is_lossless and self.n_components is None and self.corruption is None:
            return 0
        return auto(self.max_iter, epochs, n_samples, batch_size)

    def _held_out(self, table: Table) -> float | int | list[tuple[np.ndarray, np.ndarray]]:
        """A share of the rows, a number of folds, or splits, to choose weights by; 0 is none."""
        if not self.early_stopping:
            return 0
        if table.splits is not None:
            return table.splits
        n_samples = len(table.X)
        return auto(self.cv, folds, n_samples) or self.validation_fraction

    def _widest_code(self, shape: tuple[int, int]) -> float:
        """The largest `n_components` there may be."""
        return min(shape)

    def _has_linear_start(self) -> bool:
        """Whether there are linear paths, and a start for them."""
        return self.init != "random"

    @classmethod
    def _build(cls, architecture: dict[str, dict[str, Any]], rng: torch.Generator) -> Autoencoder:
        """A module in float64 on the CPU, with weights from `rng`."""
        settings = dict(architecture["module"])
        corruption = noise_from(settings.pop("corruption"))
        return cls._module(
            *cls._coders(**architecture["coders"], rng=rng), corruption=corruption, **settings
        )

    @staticmethod
    def _linear_start(X: np.ndarray, n_components: int, module: Autoencoder, random_state) -> Axes:
        """Where the linear paths start: at PCA, or at what does best under the noise."""
        if module.corruption is None or X.shape[1] > MAX_FILTERED:
            return principal_axes(X, n_components, random_state)
        return denoising_axes(X, n_components, module.corruption)

    def _starts_at_pca(self) -> bool:
        """Whether principal axes are all that the start asks of the rows."""
        return type(self)._linear_start is Model._linear_start and self.corruption is None

    @staticmethod
    def _unweighted(X: np.ndarray, weights: np.ndarray) -> np.ndarray:
        """Rows that are to the start what others are with weights."""
        return moments_alike(X, weights)

    def _code_unit(self, units: Units) -> float:
        """What codes in the module's units are multiplied by."""
        return 1.0 if self.whiten else units.scale

    def _noise_variance(
        self, squared_residual: np.ndarray, shape: tuple[int, int], n_components: int
    ) -> float:
        """Of each dimension that the code leaves out, from the rows' squared residuals."""
        return residual_variance(squared_residual, shape, n_components)

    def _density(self, reading: Reading, noise_variance: float) -> Tensors | None:
        """What `score_samples` evaluates; None if the module has a density of its own."""
        return None

    def _own_attributes(self, reading: Reading, units: Units) -> dict[str, Any]:
        """What a variant has to add."""
        return {}
