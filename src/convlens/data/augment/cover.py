"""Rectangles in batches of images, painted over.

Source: DeVries and Taylor (2017), https://arxiv.org/abs/1708.04552, section 3.2 (the square);
Zhong et al. (2017), https://arxiv.org/abs/1708.04896, algorithm 1 (the rectangle).
Differs from them: what is erased has one value, the recipe's `augment.fill`; a rectangle too
long for its image is cut to fit, not drawn again.
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from convlens.core.shapes import Pixels


class Rectangles(NamedTuple):
    """One rectangle per image, of rows top <= i < bottom and columns left <= j < right."""

    top: Int64[Tensor, "n"]
    bottom: Int64[Tensor, "n"]
    left: Int64[Tensor, "n"]
    right: Int64[Tensor, "n"]

    def mask(self, height: int, width: int) -> Bool[Tensor, "n 1 {height} {width}"]:
        """True inside the rectangle."""
        i = torch.arange(height, device=self.top.device)
        j = torch.arange(width, device=self.top.device)
        rows = (i >= self.top[:, None]) & (i < self.bottom[:, None])
        cols = (j >= self.left[:, None]) & (j < self.right[:, None])
        return (rows[:, :, None] & cols[:, None, :])[:, None]


def squares(
    centre_row: Int64[Tensor, "n"], centre_col: Int64[Tensor, "n"], size: int
) -> Rectangles:
    """Squares of `size` pixels around these centres; what lies outside the image covers nothing.

    The centre of a side of an even number of pixels is the pixel after its middle.
    """
    before = size // 2
    top, left = centre_row - before, centre_col - before
    return Rectangles(top, top + size, left, left + size)


def rectangles(
    area: Float[Tensor, "n"],
    shape: Float[Tensor, "n"],
    place: Float[Tensor, "n 2"],
    *,
    height: int,
    width: int,
) -> Rectangles:
    """Rectangles inside the image that cover a share `area` of it, to whole pixels.

    `shape` is height over width before rounding; `place` from 0 to below 1 is how far down and
    right among all the places that it has. A side too long for the image is cut to fit.
    """
    pixels = area * height * width
    high = (pixels * shape).sqrt().round().long().clamp(1, height)
    wide = (pixels / shape).sqrt().round().long().clamp(1, width)
    top = (place[:, 0] * (height - high + 1)).long()
    left = (place[:, 1] * (width - wide + 1)).long()
    return Rectangles(top, top + high, left, left + wide)


def erase(images: Pixels, where: Rectangles, chosen: Bool[Tensor, "n"], *, fill: int = 0) -> Pixels:
    """The `chosen` images with their rectangles painted over in the value `fill`."""
    height, width = images.shape[2:]
    covered = where.mask(height, width) & chosen[:, None, None, None]
    return images.masked_fill(covered, fill)
