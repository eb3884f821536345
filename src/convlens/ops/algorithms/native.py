"""Native: each operation by torch's own kernels; what training uses."""

import math

import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from jaxtyping import Float
from torch import Tensor

from convlens.ops.algorithms.padding import pad
from convlens.ops.geometry import Geometry, PoolGeometry, Reduce


def correlate(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "o cg kh kw"],
    bias: Float[Tensor, "o"] | None,
    geometry: Geometry,
) -> Float[Tensor, "n o oh ow"]:
    """`torch.nn.functional.conv2d`, the border copied first unless it is zeros."""
    if geometry.padding_mode != "zeros":
        x, geometry = pad(x, geometry), geometry.unpadded()
    rows, columns = geometry.rows, geometry.columns
    return F.conv2d(
        x,
        kernel,
        bias,
        (rows.stride, columns.stride),
        geometry.padding,
        (rows.dilation, columns.dilation),
        geometry.groups,
    )


def transpose(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "c og kh kw"],
    bias: Float[Tensor, "o"] | None,
    geometry: Geometry,
    output_padding: tuple[int, int],
) -> Float[Tensor, "n o oh ow"]:
    """`torch.nn.functional.conv_transpose2d`."""
    rows, columns = geometry.rows, geometry.columns
    return F.conv_transpose2d(
        x,
        kernel,
        bias,
        (rows.stride, columns.stride),
        geometry.padding,
        output_padding,
        geometry.groups,
        (rows.dilation, columns.dilation),
    )


def pool(x: Float[Tensor, "n c h w"], geometry: PoolGeometry, reduce: Reduce) -> Tensor:
    """`torch.nn.functional.max_pool2d` or `avg_pool2d`."""
    rows, columns = geometry.rows, geometry.columns
    kernel_size, stride = (rows.kernel, columns.kernel), (rows.stride, columns.stride)
    padding = (rows.padding, columns.padding)
    if reduce == "max":
        dilation = (rows.dilation, columns.dilation)
        if not geometry.may_see_only_padding:
            return F.max_pool2d(x, kernel_size, stride, padding, dilation, geometry.ceil_mode)
        # The backward pass of torch 2.13 writes outside its memory for a window that sees only
        # padding. With the padding written out, every window has a cell for its slope.
        padded = F.pad(x, (padding[1], padding[1], padding[0], padding[0]), value=-math.inf)
        y = F.max_pool2d(padded, kernel_size, stride, 0, dilation, geometry.ceil_mode)
        height, width = geometry.output_size(*x.shape[2:])
        return y[:, :, :height, :width]
    return F.avg_pool2d(
        x, kernel_size, stride, padding, geometry.ceil_mode, geometry.count_include_pad
    )


def adaptive_pool(
    x: Float[Tensor, "n c h w"], output_size: tuple[int, int], reduce: Reduce
) -> Tensor:
    """`torch.nn.functional.adaptive_max_pool2d` or `adaptive_avg_pool2d`."""
    if reduce == "max":
        return F.adaptive_max_pool2d(x, output_size)
    return F.adaptive_avg_pool2d(x, output_size)
