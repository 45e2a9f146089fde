"""The decoder's last maps in closed form: where the loss is a sum of squares, some are the best."""

from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import torch
from torch import Generator, Tensor, nn

from skae.nn._losses import half_squared_error
from skae.nn._module import Autoencoder
from skae.nn._networks import DenseNetwork

PSEUDO_ROWS = 10
"""How many rows' worth of evidence there is that nothing is to change."""


def ends_in_least_squares(module: Autoencoder) -> bool:
    """Whether the decoder's last maps, all else given, have weights that are the best.

    Parameters
    ----------
    module : Autoencoder
        Any.

    Returns
    -------
    ends : bool
        False of another loss, of one that does not count all rows and cells alike, and where the
        decoder is not a dense network that ends in weights of its own.
    """
    network, corruption = module.decoder.network, module.corruption
    return (
        module.squares
        and module.reconstruction.error is half_squared_error
        and module.perceptual is None
        and module.trim == 0
        and (corruption is None or corruption.emphasis == 0)
        and isinstance(network, DenseNetwork)
        and isinstance(network.layers[-1], nn.Linear)
    )


@torch.no_grad()
def with_least_squares(
    module: Any, batches: Iterable[tuple[Tensor, Tensor | None]], rng: Generator
) -> Any:
    r"""The module with the best of last maps that its decoder can have.

    .. math:: \min_{V, W, b} \; \sum_i u_i\, \bigl\|x_i - V z_i - W h_i - b\bigr\|^2
        + \lambda\, \bigl\|(V, W, b) - (V_0, W_0, b_0)\bigr\|^2, \qquad
        \lambda = \frac{c}{n p} \sum_i u_i\, \|(z_i, h_i, 1)\|^2

    for codes z, the p - 1 numbers in z and the decoder's last hidden units h, weights
    :math:`V_0, W_0, b_0` of the module, and :math:`c` = ``PSEUDO_ROWS``.

    Parameters
    ----------
    module : Autoencoder
        One that `ends_in_least_squares`, in float64, on the CPU; it is left as it is.
    batches : iterable of pairs
        All rows of shape (n, n_features), and their weights :math:`u` of shape (n,) or None.
    rng : torch.Generator
        Of the corruption.

    Returns
    -------
    module : Autoencoder
        A copy.
    """
    module = deepcopy(module).eval()
    path, network = module.decoder.path, module.decoder.network
    gram: Any = 0.0
    moments: Any = 0.0
    n_rows = 0
    last, shown = network.layers[-1], []
    hook = last.register_forward_pre_hook(lambda layer, inputs: shown.extend(inputs))
    for x, weight in batches:
        z = module.encode(module.corrupt(x, rng)[0])
        residual, h = x - module.output(z), shown.pop()
        read = torch.hstack([z if path is not None else z[:, :0], h, h.new_ones(len(h), 1)])
        counted = read if weight is None else read * weight[:, None]
        gram = gram + counted.T @ read
        moments = moments + counted.T @ residual
        n_rows += len(x)
    hook.remove()
    ridge = PSEUDO_ROWS / (n_rows * len(gram)) * gram.trace()
    gram.diagonal().add_(ridge)
    # solve_ex, as what is not finite is for held-out rows to find out
    change = torch.linalg.solve_ex(gram, moments).result
    along_path, along_network, offset = change.split(
        [len(change) - last.in_features - 1, last.in_features, 1]
    )
    if path is not None:
        path.weight += along_path.T
    last.weight += along_network.T
    last.bias += offset[0]
    return module
