"""Pooling: the greatest or the mean of what a window sees, channel by channel.

Source: d2l 7.5; the signatures, the values and the gradients are those of
`torch.nn.functional.max_pool2d`, `avg_pool2d` and their adaptive kin.
"""

from jaxtyping import Float
from torch import Tensor

from convlens.core.errors import ShapeError
from convlens.ops.catalog import adaptive_pool_by, pool_by
from convlens.ops.checks import check_batch, check_pool
from convlens.ops.geometry import Pair, PoolGeometry, pair


def max_pool2d(
    x: Float[Tensor, "n c h w"],
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    ceil_mode: bool = False,
    implementation: str = "native",
) -> Float[Tensor, "n c oh ow"]:
    """The greatest cell of each window; padding never wins. The stride is the window by default.

    >>> import torch
    >>> max_pool2d(torch.arange(9.0).reshape(1, 1, 3, 3), 2, stride=1)
    tensor([[[[4., 5.],
              [7., 8.]]]])

    Raises:
        ShapeError: the window does not fit, or is padded by more than half its size.
        ConfigError: the implementation has no pooling.
        UnknownName: no such implementation.
    """
    geometry = PoolGeometry.of(
        kernel_size, stride=stride, padding=padding, dilation=dilation, ceil_mode=ceil_mode
    )
    check_pool(x, geometry)
    return pool_by(implementation)(x, geometry, "max")


def avg_pool2d(
    x: Float[Tensor, "n c h w"],
    kernel_size: Pair,
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    implementation: str = "native",
) -> Float[Tensor, "n c oh ow"]:
    """The mean of each window; whether padding counts in the divisor is `count_include_pad`.

    >>> import torch
    >>> avg_pool2d(torch.arange(9.0).reshape(1, 1, 3, 3), 2, stride=1)
    tensor([[[[2., 3.],
              [5., 6.]]]])

    Raises:
        ShapeError: the window does not fit, or is padded by more than half its size.
        ConfigError: the implementation has no pooling.
        UnknownName: no such implementation.
    """
    geometry = PoolGeometry.of(
        kernel_size,
        stride=stride,
        padding=padding,
        ceil_mode=ceil_mode,
        count_include_pad=count_include_pad,
    )
    check_pool(x, geometry)
    return pool_by(implementation)(x, geometry, "avg")


def adaptive_max_pool2d(
    x: Float[Tensor, "n c h w"], output_size: Pair, *, implementation: str = "native"
) -> Float[Tensor, "n c oh ow"]:
    """The greatest cell of `output_size` windows that cover the image between them.

    >>> import torch
    >>> adaptive_max_pool2d(torch.arange(5.0).reshape(1, 1, 1, 5), (1, 2))
    tensor([[[[2., 4.]]]])
    """
    return adaptive_pool_by(implementation)(x, _adaptive_size(x, output_size), "max")


def adaptive_avg_pool2d(
    x: Float[Tensor, "n c h w"], output_size: Pair, *, implementation: str = "native"
) -> Float[Tensor, "n c oh ow"]:
    """The mean of `output_size` windows that cover the image between them.

    >>> import torch
    >>> adaptive_avg_pool2d(torch.arange(5.0).reshape(1, 1, 1, 5), (1, 2))
    tensor([[[[1., 3.]]]])
    """
    return adaptive_pool_by(implementation)(x, _adaptive_size(x, output_size), "avg")


def global_max_pool2d(
    x: Float[Tensor, "n c h w"], *, implementation: str = "native"
) -> Float[Tensor, "n c 1 1"]:
    """The greatest cell of each channel.

    >>> import torch
    >>> global_max_pool2d(torch.arange(4.0).reshape(1, 1, 2, 2))
    tensor([[[[3.]]]])
    """
    return adaptive_max_pool2d(x, 1, implementation=implementation)


def global_avg_pool2d(
    x: Float[Tensor, "n c h w"], *, implementation: str = "native"
) -> Float[Tensor, "n c 1 1"]:
    """The mean of each channel.

    >>> import torch
    >>> global_avg_pool2d(torch.arange(4.0).reshape(1, 1, 2, 2))
    tensor([[[[1.5000]]]])
    """
    return adaptive_avg_pool2d(x, 1, implementation=implementation)


def _adaptive_size(x: Tensor, output_size: Pair) -> tuple[int, int]:
    check_batch(x)
    size = pair(output_size, "output_size")
    if min(size) < 1:
        raise ShapeError(f"output_size={size}: must be >= 1")
    return size
