"""A trained autoencoder in the units of its data, its codes in the order they are read in."""

from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from skae.nn._density import DENSITIES
from skae.nn._missing import GaussianFill
from skae.nn._module import Autoencoder
from skae.nn._tensors import Tensors, made_of


class CodeMap(Tensors):
    r"""An invertible affine map of codes, :math:`z \mapsto (z - c)\,T`.

    Parameters
    ----------
    center : Tensor of shape (n_components,)
        :math:`c`, the mean code.
    basis, basis_inverse : Tensor of shape (n_components, n_components)
        :math:`T` and its inverse.
    """

    center: Tensor
    basis: Tensor
    basis_inverse: Tensor

    def forward(self, z: Tensor) -> Tensor:
        """New codes of shape (n, n_components)."""
        return (z - self.center) @ self.basis

    def undo(self, z: Tensor) -> Tensor:
        """The codes that `forward` maps to z."""
        return z @ self.basis_inverse + self.center

    def directions(self, lengths: Tensor) -> Tensor:
        """What `undo` makes of steps of some lengths along each axis, a row each."""
        return lengths[:, None] * self.basis_inverse


class CodeOrder(Tensors):
    """Components in another order, each in units of its own: for codes whose axes have a meaning.

    Parameters
    ----------
    order : Tensor of shape (n_components,), int64
        Which component comes first, second, and so on.
    width : Tensor of shape (n_components,)
        What each is multiplied by, in the new order.
    """

    order: Tensor
    width: Tensor

    def forward(self, z: Tensor) -> Tensor:
        """New codes of shape (n, n_components)."""
        return z[:, self.order] * self.width

    def undo(self, z: Tensor) -> Tensor:
        """The codes that `forward` maps to z."""
        return (z / self.width)[:, self.order.argsort()]

    def directions(self, lengths: Tensor) -> Tensor:
        """What `undo` makes of steps of some lengths along each axis, a row each."""
        return self.undo(torch.diag(lengths))


class Canonical(nn.Module):
    r"""A trained autoencoder in the units of its data, its code in a canonical basis.

    .. math:: z = T\bigl(f\bigl(\tfrac{x - m}{s}\bigr)\bigr), \qquad
        \hat x = s \, g(T^{-1}(z)) + m

    with samples and codes as rows.

    Parameters
    ----------
    autoencoder : Autoencoder
        Works on data shifted by m and divided by s.
    location : Tensor of shape (n_features,)
        :math:`m`.
    scale : Tensor of shape ()
        :math:`s`, positive.
    code_map : CodeMap or CodeOrder
        :math:`T`.
    density : one of ``DENSITIES``, or None
        Of the autoencoder's data, if it has none of its own.
    fill : GaussianFill or None
        Completes rows, in the autoencoder's units; None leaves gaps.
    """

    location: Tensor
    scale: Tensor
    autoencoder: Any
    code_map: Any
    density: Any
    fill: GaussianFill | None
    densities: ClassVar[tuple[type[Tensors], ...]] = DENSITIES

    def __init__(
        self,
        autoencoder: Autoencoder,
        location: Tensor,
        scale: Tensor,
        code_map: Tensors,
        density: Tensors | None,
        fill: GaussianFill | None,
    ):
        super().__init__()
        self.autoencoder, self.code_map, self.density = autoencoder, code_map, density
        self.fill = fill
        self.register_buffer("location", location)
        self.register_buffer("scale", scale)

    @classmethod
    def of(cls, autoencoder: Autoencoder, tensors: dict[str, Tensor]) -> "Canonical":
        """The module that some tensors, by the names in its ``state_dict``, were taken from."""
        parts: dict[str, dict[str, Tensor]] = {"code_map": {}, "density": {}, "fill": {}}
        for name, tensor in tensors.items():
            part, _, own = name.partition(".")
            if part in parts:
                parts[part][own] = tensor
        module = cls(
            autoencoder,
            tensors["location"],
            tensors["scale"],
            made_of((CodeMap, CodeOrder), parts["code_map"]),
            made_of(cls.densities, parts["density"]) if parts["density"] else None,
            GaussianFill(**parts["fill"]) if parts["fill"] else None,
        )
        module.to(tensors["scale"].dtype)
        module.load_state_dict(tensors, strict=False, assign=True)
        return module.eval()

    def standardize(self, x: Tensor) -> Tensor:
        """What the autoencoder is shown of x: in its units, and without gaps."""
        y = (x - self.location) / self.scale
        return y if self.fill is None else self.fill(y)

    def complete(self, x: Tensor) -> Tensor:
        """Rows without gaps."""
        return torch.where(x.isnan(), self.standardize(x) * self.scale + self.location, x)

    def log_volume(self, x: Tensor) -> Tensor:
        """What makes log-densities of what the autoencoder is shown those of rows, of shape (n,).

        Each known cell is counted in the units of the data, and those that are missing are
        integrated out.
        """
        if self.fill is None:
            return -x.shape[1] * self.scale.log()
        gaps = self.fill.log_volume((x - self.location) / self.scale).to(x.dtype)
        return gaps - (~x.isnan()).sum(dim=1) * self.scale.log()

    def code(self, x: Tensor, y: Tensor) -> Tensor:
        """The autoencoder's own codes of rows x, which are y in its units and without gaps."""
        return self.autoencoder.encode(y)

    def encode(self, x: Tensor) -> Tensor:
        """Codes of shape (n, n_components)."""
        return self.code_map(self.code(x, self.standardize(x)))

    def decode(self, z: Tensor) -> Tensor:
        """Points of data space, of shape (n, n_features)."""
        return self.autoencoder.decode(self.code_map.undo(z)) * self.scale + self.location

    def forward(self, x: Tensor) -> Tensor:
        """Reconstructions of shape (n, n_features)."""
        return self.decode(self.encode(x))

    def typical(self, n_components: int) -> Tensor:
        """The row that the code zero stands for, of shape (n_features,)."""
        return self.decode(self.location.new_zeros(1, n_components))[0]

    def log_density(self, x: Tensor) -> Tensor:
        """Log-densities of shape (n,), in nats."""
        y, density = self.standardize(x), self.density
        z = self.code(x, y)
        w = self.code_map(z) / density.code_std

        def jacobian() -> Tensor:
            return self.autoencoder.slopes(z, self.code_map.directions(density.code_std))

        return density(w, y - self.autoencoder.decode(z), jacobian) + self.log_volume(x)
