"""Log-densities in torch, equal to those that `score_samples` computes in numpy."""

from collections.abc import Callable
from math import log, pi

import numpy as np
import torch
from torch import Tensor

from skae.autoencoders import BaseAutoencoder, VAETransformer
from skae.autoencoders._density import CodeDensity, SparseCodeDensity
from skae.autoencoders._draws import draws_for_bound, draws_for_elbo
from skae.nn import Canonical
from skae.training import to_tensor

LogDensity = Callable[[Tensor, Tensor], Tensor]
"""Of codes over their standard deviations and squared residuals, both with n rows."""


def exact(value: float | np.ndarray) -> Tensor:
    """A constant in float64; torch's exporter writes plain numbers in float32."""
    return to_tensor(np.asarray(value, dtype=np.float64))


def gaussian(density: CodeDensity, n_features: int) -> LogDensity:
    """In torch what `CodeDensity.log_density` is."""
    largest = max(float(density.variance.max()), density.noise_variance)
    floor = np.finfo(np.float64).eps * largest if largest > 0 else 1.0
    noise_variance = max(density.noise_variance, floor)
    n_left = max(n_features - len(density.variance), 0)
    volume = float(np.log(np.maximum(density.variance, floor)).sum())
    volume += n_left * log(noise_variance) + n_features * log(2 * pi)

    noise, constant = exact(noise_variance), exact(volume)

    def log_density(W: Tensor, squared_residual: Tensor) -> Tensor:
        return -0.5 * (W.square().sum(dim=1) + squared_residual / noise + constant)

    return log_density


def spike_and_slab(density: SparseCodeDensity, n_features: int) -> LogDensity:
    """In torch what `SparseCodeDensity.log_density` is."""
    floor = np.finfo(np.float64).eps * float(np.square(density.std).max())
    noise_variance = max(density.noise_variance, floor)
    log_volume, size = log(2 * pi * noise_variance), density.size.clip(1e-8)
    slab = np.log(density.share) - np.log(2 * size * density.std) + 0.5 * log_volume
    used, unused, width = exact(slab), exact(np.log1p(-density.share)), exact(size)
    noise, constant = exact(noise_variance), exact(n_features * log_volume)

    def log_density(W: Tensor, squared_residual: Tensor) -> Tensor:
        code = torch.where(W != 0, used - W.abs() / width, unused).sum(dim=1)
        return code - 0.5 * (squared_residual / noise + constant)

    return log_density


DENSITIES: dict[type, Callable[..., LogDensity]] = {
    CodeDensity: gaussian,
    SparseCodeDensity: spike_and_slab,
}


def code_and_residual_density(estimator: BaseAutoencoder, module: Canonical) -> Callable:
    """In torch what `BaseAutoencoder.score_samples` is."""
    n_features, density = estimator.n_features_in_, estimator._density
    if type(density) not in DENSITIES:
        raise ValueError(
            f"The score cannot be translated to ONNX: there is no translation of "
            f"{type(density).__name__}; translate 'transform' and 'reconstruct'."
        )
    log_density = DENSITIES[type(density)](density, n_features)
    code_std, log_unit = exact(estimator._code_std), exact(n_features * log(float(module.scale)))

    def score_samples(x: Tensor) -> Tensor:
        x = x.double()
        z = module.encode(x)
        squared_residual = ((x - module.decode(z)) / module.scale).square().sum(dim=1)
        return log_density(z / code_std, squared_residual) - log_unit

    return score_samples


def likelihood_bound(estimator: VAETransformer, module: Canonical) -> Callable:
    """In torch what `VAETransformer.score_samples` is: its draws are always the same."""
    importance = estimator.n_importance_samples > 1
    draw = draws_for_bound if importance else draws_for_elbo
    draws = exact(draw(estimator.n_components_, estimator.n_importance_samples))
    continuous = module.autoencoder.log_noise is not None
    log_unit = exact(continuous * estimator.n_features_in_ * log(float(module.scale)))

    def score_samples(x: Tensor) -> Tensor:
        x = module.standardize(x.double())
        return module.autoencoder.log_likelihood_bound(x, draws, importance=importance) - log_unit

    return score_samples


SCORES: dict[Callable, Callable[..., Callable]] = {
    BaseAutoencoder.score_samples: code_and_residual_density,
    VAETransformer.score_samples: likelihood_bound,
}
"""By the method that they are to equal."""


def score_of(estimator: BaseAutoencoder, module: Canonical) -> Callable[[Tensor], Tensor]:
    """The score of rows, in torch.

    Parameters
    ----------
    estimator : object
        Fitted.
    module : Canonical
        The fitted module, in float64.

    Returns
    -------
    score_samples : callable of a tensor of shape (n, n_features)
        Gives log-densities in nats, of shape (n,), in float64.

    Raises
    ------
    ValueError
        If nobody has translated the score.
    """
    method = type(estimator).score_samples
    if method not in SCORES:
        raise ValueError(
            f"The score of {type(estimator).__name__} cannot be translated to ONNX; translate "
            "'transform' and 'reconstruct'."
        )
    return SCORES[method](estimator, module)
