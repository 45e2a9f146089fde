"""Matching pursuit without assignments: each of them would be a dozen operators of ONNX."""

import torch
from torch import Tensor

from skae.nn import Canonical, SparseAutoencoder


def traceable(module: Canonical) -> Canonical:
    """Leave out what completes rows, and let a pursuit, if there is one, be the one of this file.

    Parameters
    ----------
    module : Canonical
        Changed in place.

    Returns
    -------
    module : Canonical
        The same.
    """
    module.fill = None  # a graph takes whole rows
    autoencoder = module.autoencoder
    if getattr(autoencoder, "sparsity", None) == "pursuit":
        autoencoder.code = lambda x, rng=None, weight=None: (
            pursuit(autoencoder, x),
            x.new_zeros(()),
        )
    return module


def pursuit(module: SparseAutoencoder, x: Tensor) -> Tensor:
    """The codes of `skae.nn._sparse.matching_pursuit`, one atom after another.

    Parameters
    ----------
    module : SparseAutoencoder
        Holds the dictionary.
    x : Tensor of shape (n, n_features)
        Rows.

    Returns
    -------
    z : Tensor of shape (n, n_components)
        Codes.
    """
    atoms, residual = module.decoder.path.atoms, x - module.decoder.path.bias
    n, n_rounds, alike = (
        module.n_nonzero_coefs,
        module.n_readings,
        3 * torch.finfo(x.dtype).eps ** 0.5,
    )
    chosen: list[Tensor] = []
    basis: list[Tensor] = []
    parts: list[Tensor] = []
    lengths: list[Tensor] = []
    readings: list[Tensor] = []
    for i in range(n_rounds):
        size = module.signed(residual @ atoms.T).abs()
        if chosen:
            size = size.scatter(1, torch.cat(chosen, dim=1), -1.0)
        n_new = (i + 1) * n // n_rounds - i * n // n_rounds
        chosen.append(size.topk(n_new, dim=1).indices)
        for j in range(n_new):
            new = atom = atoms[chosen[-1][:, j]]
            if basis:
                Q = torch.stack(basis, dim=1)
                parts.append((Q @ atom[:, :, None])[:, :, 0])
                new = atom - (parts[-1][:, :, None] * Q).sum(dim=1)
            length = new.norm(dim=1, keepdim=True)
            length = torch.where(length > alike, length, torch.inf)
            basis.append(new / length)
            lengths.append(length.clamp(max=1.0))
            readings.append((basis[-1] * residual).sum(dim=1, keepdim=True))
            residual = residual - readings[-1] * basis[-1]
    # the atoms are Q R with R upper triangular; its columns, from the last to the first, give z
    y, coefs = torch.cat(readings, dim=1), []
    for j in reversed(range(n)):
        coefs.append(y[:, j : j + 1] / lengths[j])
        if j > 0:
            y = y[:, :j] - parts[j - 1] * coefs[-1]
    z = module.signed(torch.cat(coefs[::-1], dim=1))
    return torch.zeros_like(size).scatter(1, torch.cat(chosen, dim=1), z)
