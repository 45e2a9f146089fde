"""Maps of images and signals: convolved, and convolved back."""

from math import ceil
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class Maps(NamedTuple):
    """Size of maps, which a row holds one line after another, channels last.

    Parameters
    ----------
    height, width, n_channels : int
        A signal has height 1.
    """

    height: int
    width: int
    n_channels: int

    @property
    def n_cells(self) -> int:
        """Width of a row that holds them."""
        return self.height * self.width * self.n_channels

    @property
    def stride(self) -> tuple[int, int]:
        """What their sides are divided by: 2, where there is anything to divide."""
        return min(2, self.height), min(2, self.width)

    def kernel(self, size: int) -> tuple[int, int]:
        """Sides of a kernel; cells farther away than the other border are none."""
        return min(size, 2 * self.height - 1), min(size, 2 * self.width - 1)

    def halved(self, n_channels: int) -> "Maps":
        """Maps of half the size, rounded up."""
        return Maps(ceil(self.height / 2), ceil(self.width / 2), n_channels)


def convolved(maps: Tensor, weight: Tensor, stride: tuple[int, int]) -> Tensor:
    """Maps of shape (n, height, width, n_channels), with zeros beyond the border.

    Parameters
    ----------
    maps : Tensor of shape (n, height, width, n_channels)
        What comes in.
    weight : Tensor of shape (n_out, n_channels, height, width)
        Kernels, of odd sides.
    stride : tuple of two ints
        Between the places where the kernel is put, from the first on.

    Returns
    -------
    maps : Tensor of shape (n, ceil(height / stride), ceil(width / stride), n_out)
        As `torch.nn.functional.conv2d` has them.
    """
    if not torch.compiler.is_exporting():
        border = weight.shape[2] // 2, weight.shape[3] // 2
        out = F.conv2d(maps.permute(0, 3, 1, 2), weight, stride=stride, padding=border)
        return out.permute(0, 2, 3, 1)
    sides = [
        [[i * step + k - size // 2 for k in range(size)] for i in range(ceil(side / step))]
        for side, step, size in zip(maps.shape[1:3], stride, weight.shape[2:], strict=True)
    ]
    return gathered(maps, sides, weight.permute(2, 3, 1, 0))


def transposed(maps: Tensor, weight: Tensor, size: Maps, stride: tuple[int, int]) -> Tensor:
    """The transpose of `convolved`: maps of a size whose convolution is as large as those given."""
    if torch.compiler.is_exporting():
        sides = [
            [
                [source(place + kernel // 2 - k, step) for k in range(kernel)]
                for place in range(side)
            ]
            for side, step, kernel in zip(size[:2], stride, weight.shape[2:], strict=True)
        ]
        return gathered(maps, sides, weight.permute(2, 3, 0, 1))
    rows, columns = weight.shape[2:]
    surplus = [
        side - ((small - 1) * step + 1)
        for side, small, step in zip(size[:2], maps.shape[1:3], stride, strict=True)
    ]
    out = F.conv_transpose2d(
        maps.permute(0, 3, 1, 2),
        weight,
        stride=stride,
        padding=(rows // 2, columns // 2),
        output_padding=(surplus[0], surplus[1]),
    )
    return out.permute(0, 2, 3, 1)


def source(place: int, step: int) -> int:
    """Which cell a transposed convolution reads at a place; -1 is none."""
    return -1 if place % step else place // step


def gathered(maps: Tensor, sides: list[list[list[int]]], kernels: Tensor) -> Tensor:
    """A convolution in other words: onnxruntime has none in float64.

    Parameters
    ----------
    maps : Tensor of shape (n, height, width, n_channels)
        What comes in.
    sides : list of two lists
        The lines, and the columns, that each place of the result reads, one for each of the
        kernel's; those that are not there are zero.
    kernels : Tensor of shape (lines, columns, n_channels, n_out)
        What they are multiplied by.

    Returns
    -------
    maps : Tensor of shape (n, len(sides[0]), len(sides[1]), n_out)
        The result.
    """
    height, width = maps.shape[1:3]
    places = [
        y * width + x if 0 <= y < height and 0 <= x < width else height * width
        for lines in sides[0]
        for columns in sides[1]
        for y in lines
        for x in columns
    ]
    cells = F.pad(maps.flatten(1, 2), (0, 0, 0, 1))  # the last one is zero
    found = cells[:, torch.as_tensor(places, device=maps.device)]
    found = found.unflatten(1, (len(sides[0]) * len(sides[1]), -1)).flatten(2)
    return (found @ kernels.flatten(0, 2)).unflatten(1, (len(sides[0]), len(sides[1])))


def enlarged(maps: Tensor, size: Maps) -> Tensor:
    """Maps with copies between their cells, cut to some size."""
    for dim, step in enumerate(size.stride, start=1):
        maps = torch.stack([maps] * step, dim=dim + 1).flatten(dim, dim + 1)
    return maps[:, : size.height, : size.width]
