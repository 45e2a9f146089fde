"""The scores that can be translated: those that are functions in torch."""

from collections.abc import Callable

from torch import Tensor

from skae.autoencoders import BaseAutoencoder, VAETransformer
from skae.nn import Canonical

SCORES = {BaseAutoencoder.score_samples, VAETransformer.score_samples}
"""The methods that only evaluate `_log_density`."""


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
        If the estimator has a score of its own.
    """
    if type(estimator).score_samples not in SCORES:
        raise ValueError(
            f"The score of {type(estimator).__name__} cannot be translated to ONNX; translate "
            "'transform' and 'reconstruct'."
        )
    log_density, _ = estimator._log_density()
    return lambda x: log_density(module, x.double())
