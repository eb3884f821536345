"""Unfold: every window laid out as a column, then one matrix product (im2col).

The kernel becomes a matrix with one row per channel out, the image one with a column per
place of the output, and the correlation is their product. It is fast because a matrix product is
the best-tuned program there is; it pays with memory, as each pixel is copied into every
window that sees it.

Source: Chellapilla, Puri and Simard (2006), https://inria.hal.science/inria-00112631.
"""

import math

import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from jaxtyping import Float
from torch import Tensor

from convlens.ops.algorithms.padding import add_bias, pad
from convlens.ops.geometry import Geometry, PoolGeometry, Reduce
from convlens.ops.window import Window


def windows(
    padded: Float[Tensor, "n c ph pw"], rows: Window, columns: Window
) -> Float[Tensor, "n c oh ow kh kw"]:
    """What each window sees of an image that has its padding: a view, nothing is copied.

    >>> import torch
    >>> windows(torch.arange(4.0).reshape(1, 1, 1, 4), Window(1), Window(2)).squeeze()
    tensor([[0., 1.],
            [1., 2.],
            [2., 3.]])
    """
    view = padded.unfold(2, rows.extent, rows.stride).unfold(3, columns.extent, columns.stride)
    return view[..., :: rows.dilation, :: columns.dilation]


def fold(
    parts: Float[Tensor, "n c oh ow kh kw"], size: tuple[int, int], rows: Window, columns: Window
) -> Float[Tensor, "n c ph pw"]:
    """The adjoint of `windows`: an image where each cell is the sum of its parts in all windows.

    >>> import torch
    >>> fold(torch.ones(1, 1, 1, 3, 1, 2), (1, 4), Window(1), Window(2))
    tensor([[[[1., 2., 2., 1.]]]])
    """
    height, width = parts.shape[2:4]
    image = parts.new_zeros(*parts.shape[:2], *size)
    for a in range(rows.kernel):
        for b in range(columns.kernel):
            top, left = a * rows.dilation, b * columns.dilation
            image[
                :,
                :,
                top : top + (height - 1) * rows.stride + 1 : rows.stride,
                left : left + (width - 1) * columns.stride + 1 : columns.stride,
            ] += parts[..., a, b]
    return image


def correlate(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "o cg kh kw"],
    bias: Float[Tensor, "o"] | None,
    geometry: Geometry,
) -> Float[Tensor, "n o oh ow"]:
    """`(o, c kh kw) @ (c kh kw, oh ow)` for each image and group."""
    seen = windows(pad(x, geometry), geometry.rows, geometry.columns)
    n, _, height, width = seen.shape[:4]
    taps = kernel[0].numel()  # c/g kh kw
    columns = seen.permute(0, 1, 4, 5, 2, 3).reshape(n, geometry.groups, taps, height * width)
    weights = kernel.reshape(geometry.groups, -1, taps)
    return add_bias((weights @ columns).reshape(n, kernel.shape[0], height, width), bias)


def transpose(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "c og kh kw"],
    bias: Float[Tensor, "o"] | None,
    geometry: Geometry,
    output_padding: tuple[int, int],
) -> Float[Tensor, "n o oh ow"]:
    """`(o kh kw, c) @ (c, h w)` for each image and group, then the columns folded up."""
    n, _, height, width = x.shape
    rows, columns = geometry.rows, geometry.columns
    full = geometry.unpadded().transposed_size(height, width, output_padding)
    weights = kernel.reshape(geometry.groups, -1, kernel[0].numel()).transpose(1, 2)
    products = weights @ x.flatten(2).unflatten(1, (geometry.groups, -1))
    channels = geometry.groups * kernel.shape[1]
    parts = products.reshape(n, channels, *geometry.kernel_size, height, width)
    image = fold(parts.permute(0, 1, 4, 5, 2, 3), full, rows, columns)
    top, left = geometry.padding
    cut = image[:, :, top : full[0] - top, left : full[1] - left]
    return add_bias(cut, bias)


def pool(x: Float[Tensor, "n c h w"], geometry: PoolGeometry, reduce: Reduce) -> Tensor:
    """The greatest, or the mean, of each window laid out as a row."""
    value = -math.inf if reduce == "max" else 0.0
    seen = windows(pad_for_pool(x, geometry, value), geometry.rows, geometry.columns)
    if reduce == "max":
        return seen.flatten(4).max(-1).values  # of equal cells the first counts
    return seen.sum((4, 5)) / pool_divisor(x, geometry)


def pad_for_pool(
    x: Float[Tensor, "n c h w"], geometry: PoolGeometry, value: float
) -> Float[Tensor, "n c ph pw"]:
    """The images with a border of `value`, as far as the last window of each axis reaches."""
    border: list[int] = []
    axes = zip(
        (geometry.rows, geometry.columns),
        x.shape[2:],
        geometry.output_size(*x.shape[2:]),
        strict=True,
    )
    for window, size, count in axes:
        reach = window.taps(count - 1)[-1] + 1
        border = [window.padding, max(reach - size, 0), *border]  # F.pad: the last axis first
    return F.pad(x, border, value=value)


def pool_divisor(x: Float[Tensor, "n c h w"], geometry: PoolGeometry) -> Float[Tensor, "oh ow"]:
    """How many cells each average is over."""
    rows, columns = (x.new_tensor(cells) for cells in geometry.cells(*x.shape[2:]))
    return rows[:, None] * columns
