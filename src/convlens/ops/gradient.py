"""Gradients: the backward passes derived by hand, from `dL/dy` to what made `y`.

Each output is a sum of products `kernel[a, b] x[pixel]`. So a kernel entry's gradient is the
sum of the pixels it met, each times the `dL/dy` of its output; and a pixel's gradient is the
sum of the kernel entries it met, times the same. The first is again a correlation, the
second a transposed one.

Source: d2l 7.4, exercise 2; Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285,
section 4. Tested against torch's autograd and against finite differences.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from convlens.core.errors import ShapeError
from convlens.ops.algorithms.padding import pad, unpad
from convlens.ops.algorithms.unfold import fold, pad_for_pool, pool_divisor, windows
from convlens.ops.checks import (
    check_numbers,
    check_pool,
    correlation_geometry,
    transposed_geometry,
)
from convlens.ops.geometry import Geometry, PaddingMode, Pair, PoolGeometry, pair


class Gradients(NamedTuple):
    """What a backward pass gives: the slope of the loss by each input of the operation."""

    x: Float[Tensor, "n c h w"]
    kernel: Float[Tensor, "..."]
    bias: Float[Tensor, "o"]


def cross_correlation2d_backward(
    grad_y: Float[Tensor, "n o oh ow"],
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "o cg kh kw"],
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
) -> Gradients:
    """`dL/dx`, `dL/dkernel` and `dL/dbias` of `cross_correlation2d` with these settings.

    >>> x, kernel = torch.tensor([[[[1.0, 2.0, 4.0]]]]), torch.tensor([[[[1.0, -1.0]]]])
    >>> cross_correlation2d_backward(torch.ones(1, 1, 1, 2), x, kernel).kernel
    tensor([[[[3., 6.]]]])

    Raises:
        ShapeError: the tensors or the settings do not fit.
    """
    geometry = correlation_geometry(
        x,
        kernel,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
    )
    _check_grad(grad_y, x, (kernel.shape[0], *geometry.output_size(*x.shape[2:])))
    return Gradients(
        x=input_gradient(grad_y, kernel, geometry, (x.shape[2], x.shape[3])),
        kernel=kernel_gradient(grad_y, x, geometry),
        bias=bias_gradient(grad_y),
    )


def input_gradient(
    grad_y: Float[Tensor, "n o oh ow"],
    kernel: Float[Tensor, "o cg kh kw"],
    geometry: Geometry,
    size: tuple[int, int],
) -> Float[Tensor, "n c h w"]:
    """`dL/dx[c, r, s] = sum of dL/dy[o, i, j] kernel[o, c, a, b] where (i, a), (j, b) read r, s`.

    A border cell's share goes to the pixel it was copied from; a zero's share is dropped.

    >>> input_gradient(torch.ones(1, 1, 1, 2), torch.tensor([[[[1.0, -1.0]]]]),
    ...     Geometry.of((1, 2)), (1, 3))
    tensor([[[[ 1.,  0., -1.]]]])
    """
    parts = torch.einsum(
        "ngoij,gocab->ngcijab",
        grad_y.unflatten(1, (geometry.groups, -1)),
        kernel.unflatten(0, (geometry.groups, -1)),
    ).flatten(1, 2)
    top, left = geometry.padding
    padded_size = (size[0] + 2 * top, size[1] + 2 * left)
    return unpad(fold(parts, padded_size, geometry.rows, geometry.columns), geometry, size)


def kernel_gradient(
    grad_y: Float[Tensor, "n o oh ow"], x: Float[Tensor, "n c h w"], geometry: Geometry
) -> Float[Tensor, "o cg kh kw"]:
    """`dL/dkernel[o, c, a, b] = sum over n, i, j of dL/dy[n, o, i, j] x[n, c, pixel of a, b]`.

    >>> kernel_gradient(torch.ones(1, 1, 1, 2), torch.tensor([[[[1.0, 2.0, 4.0]]]]),
    ...     Geometry.of((1, 2)))
    tensor([[[[3., 6.]]]])
    """
    height, width = grad_y.shape[2:]
    seen = windows(pad(x, geometry), geometry.rows, geometry.columns)[:, :, :height, :width]
    return torch.einsum(
        "ngoij,ngcijab->gocab",
        grad_y.unflatten(1, (geometry.groups, -1)),
        seen.unflatten(1, (geometry.groups, -1)),
    ).flatten(0, 1)


def bias_gradient(grad_y: Float[Tensor, "n o oh ow"]) -> Float[Tensor, "o"]:
    """`dL/dbias[o] = sum over n, i, j of dL/dy[n, o, i, j]`.

    >>> bias_gradient(torch.ones(2, 1, 3, 3))
    tensor([18.])
    """
    return grad_y.sum((0, 2, 3))


def transposed2d_backward(
    grad_y: Float[Tensor, "n o oh ow"],
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "c og kh kw"],
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Gradients:
    """`dL/dx`, `dL/dkernel` and `dL/dbias` of `transposed2d`: image and gradient change places.

    >>> x, kernel = torch.ones(1, 1, 1, 2), torch.tensor([[[[1.0, 2.0]]]])
    >>> transposed2d_backward(torch.ones(1, 1, 1, 4), x, kernel, stride=2).x
    tensor([[[[3., 3.]]]])

    Raises:
        ShapeError: the tensors or the settings do not fit.
    """
    geometry = transposed_geometry(
        x,
        kernel,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
    )
    extra = pair(output_padding, "output_padding")
    height, width = x.shape[2:]
    size = geometry.transposed_size(height, width, extra)
    _check_grad(grad_y, x, (kernel.shape[1] * groups, *size))
    seen = windows(pad(grad_y, geometry), geometry.rows, geometry.columns)
    grad_x = torch.einsum(
        "ngoijab,gcoab->ngcij",
        seen[:, :, :height, :width].unflatten(1, (groups, -1)),
        kernel.unflatten(0, (groups, -1)),
    )
    return Gradients(
        x=grad_x.flatten(1, 2),
        kernel=kernel_gradient(x, grad_y, geometry),
        bias=bias_gradient(grad_y),
    )


def max_pool2d_backward(
    grad_y: Float[Tensor, "n c oh ow"],
    x: Float[Tensor, "n c h w"],
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
) -> Float[Tensor, "n c h w"]:
    """`dL/dx` of `max_pool2d`: each output's slope goes to the first greatest cell it saw.

    >>> max_pool2d_backward(torch.ones(1, 1, 1, 2), torch.tensor([[[[1.0, 3.0, 2.0]]]]), (1, 2),
    ...     stride=1)
    tensor([[[[0., 2., 0.]]]])
    """
    geometry = PoolGeometry.of(
        kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )
    check_pool(x, geometry)
    _check_grad(grad_y, x, (x.shape[1], *geometry.output_size(*x.shape[2:])))
    seen = windows(pad_for_pool(x, geometry, -math.inf), geometry.rows, geometry.columns)
    winners = seen.flatten(4).argmax(-1, keepdim=True)
    cells = torch.arange(geometry.rows.kernel * geometry.columns.kernel, device=x.device)
    parts = grad_y[..., None] * (cells == winners)
    return _fold_pool(parts.reshape(seen.shape), x, geometry)


def avg_pool2d_backward(
    grad_y: Float[Tensor, "n c oh ow"],
    x: Float[Tensor, "n c h w"],
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Float[Tensor, "n c h w"]:
    """`dL/dx` of `avg_pool2d`: each output's slope is spread evenly over the cells it saw.

    >>> avg_pool2d_backward(torch.ones(1, 1, 1, 2), torch.ones(1, 1, 1, 3), (1, 2), stride=1)
    tensor([[[[0.5000, 1.0000, 0.5000]]]])
    """
    geometry = PoolGeometry.of(
        kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )
    check_pool(x, geometry)
    _check_grad(grad_y, x, (x.shape[1], *geometry.output_size(*x.shape[2:])))
    shares = (grad_y / pool_divisor(x, geometry))[..., None, None]
    parts = shares.expand(*grad_y.shape, geometry.rows.kernel, geometry.columns.kernel)
    return _fold_pool(parts, x, geometry)


def _fold_pool(parts: Tensor, x: Tensor, geometry: PoolGeometry) -> Tensor:
    """Sum the parts by pixel and drop those of the padding."""
    padded = pad_for_pool(x, geometry, 0.0).shape[2:]
    image = fold(parts, (padded[0], padded[1]), geometry.rows, geometry.columns)
    top, left = geometry.rows.padding, geometry.columns.padding
    return image[:, :, top : top + x.shape[2], left : left + x.shape[3]]


def _check_grad(grad_y: Tensor, x: Tensor, rest: tuple[int, ...]) -> None:
    check_numbers(grad_y=grad_y, x=x)
    if tuple(grad_y.shape) != (x.shape[0], *rest):
        raise ShapeError(
            f"grad_y has shape {tuple(grad_y.shape)}; it must have that of the output, "
            f"{(x.shape[0], *rest)}"
        )
