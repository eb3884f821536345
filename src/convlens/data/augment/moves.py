"""Batches of images mirrored, shifted and turned, each image by its own amount.

Pixels are bytes before and after, so a mirrored or shifted image holds the very pixels it had.
"""

import math

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from convlens.core.errors import ConfigError
from convlens.core.shapes import Pixels


def mirror(images: Pixels, chosen: Bool[Tensor, "n"]) -> Pixels:
    """Left and right exchanged in the `chosen` images.

    >>> row = torch.tensor([[[[1, 2, 3]]]], dtype=torch.uint8)
    >>> mirror(row, torch.tensor([True]))
    tensor([[[[3, 2, 1]]]], dtype=torch.uint8)
    """
    return torch.where(chosen[:, None, None, None], images.flip(3), images)


def shift(
    images: Pixels, down: Int64[Tensor, "n"], right: Int64[Tensor, "n"], *, fill: int | None = 0
) -> Pixels:
    """Each image moved by its own numbers of pixels: `shifted[i, j] = image[i - down, j - right]`.

    That is the same as a cut of the image's own size from an image padded on all sides. What
    comes in has the value `fill`, or, if that is None, is the image reflected at its edge.

    >>> row = torch.tensor([[[[1, 2, 3]]]], dtype=torch.uint8)
    >>> shift(row, torch.tensor([0]), torch.tensor([2]))
    tensor([[[[0, 0, 1]]]], dtype=torch.uint8)
    >>> shift(row, torch.tensor([0]), torch.tensor([2]), fill=None)
    tensor([[[[3, 2, 1]]]], dtype=torch.uint8)

    Raises:
        ConfigError: a reflection further than the image is wide or high.
    """
    height, width = images.shape[2:]
    rows = torch.arange(height, device=images.device) - down[:, None]
    cols = torch.arange(width, device=images.device) - right[:, None]
    if fill is None:
        row_index, col_index = _reflected(rows, height), _reflected(cols, width)
    else:
        row_index, col_index = rows.clamp(0, height - 1), cols.clamp(0, width - 1)
    num, channels = images.shape[:2]
    each = torch.arange(num, device=images.device)[:, None, None, None]
    channel = torch.arange(channels, device=images.device)[:, None, None]
    moved = images[each, channel, row_index[:, None, :, None], col_index[:, None, None, :]]
    if fill is not None:
        inside = ((rows == row_index)[:, :, None] & (cols == col_index)[:, None, :])[:, None]
        moved = torch.where(inside, moved, fill)
    return moved


def rotate(images: Pixels, degrees: Float[Tensor, "n"], *, fill: int = 0) -> Pixels:
    """Each image turned by its own angle about its middle, anticlockwise as it is seen.

    A pixel takes the value at the place that turns into it, linear between the four pixels
    around; outside the image everything is `fill`.

    >>> square = torch.tensor([[[[1, 2], [3, 4]]]], dtype=torch.uint8)
    >>> rotate(square, torch.tensor([90.0]))
    tensor([[[[2, 4],
              [1, 3]]]], dtype=torch.uint8)
    """
    height, width = images.shape[2:]
    angle = degrees * (math.pi / 180)
    cos, sin, zero = angle.cos(), angle.sin(), torch.zeros_like(angle)
    across = torch.stack([cos, -sin * (height / width), zero], 1)
    along = torch.stack([sin * (width / height), cos, zero], 1)
    grid = F.affine_grid(torch.stack([across, along], 1), list(images.shape), align_corners=False)
    x = F.grid_sample(images.float() - fill, grid, padding_mode="zeros", align_corners=False)
    return (x + fill).round_().clamp_(0, 255).to(torch.uint8)


def _reflected(index: Int64[Tensor, "n size"], size: int) -> Int64[Tensor, "n size"]:
    if int(index.min()) <= -size or int(index.max()) > 2 * (size - 1):
        raise ConfigError(
            f"augment.translate: a side of {size} pixels can be reflected by {size - 1} at most"
        )
    index = index.abs()
    return torch.where(index < size, index, 2 * (size - 1) - index)
