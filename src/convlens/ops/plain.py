"""Plain matrices: the same operations on what one writes on paper.

A matrix (h, w) and a kernel (kh, kw) are enough; so are nested lists. Channels may be put in
front: (c, h, w) with (c, kh, kw) sums over the channels, with (o, c, kh, kw) makes o of them.

Source: d2l 7.2 (one channel), 7.4 (several), 7.5 (pooling).
"""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from convlens.core.errors import ShapeError
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.geometry import PaddingMode, Pair, Reduce
from convlens.ops.pooling import avg_pool2d, max_pool2d

Numbers = Tensor | Sequence[Any]  # nested lists of numbers, as deep as there are axes


def correlate(
    x: Numbers,
    kernel: Numbers,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    padding_mode: PaddingMode = "zeros",
    implementation: str = "native",
) -> Float[Tensor, "*o oh ow"]:
    """The cross-correlation of plain matrices.

    >>> correlate([[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[0, 1], [2, 3]])
    tensor([[19., 25.],
            [37., 43.]])

    Raises:
        ShapeError: they do not fit each other, or do not hold floating-point numbers.
    """
    image, weights = _tensors(x, kernel)
    channels = image if image.ndim == 3 else image[None]
    kernels = weights[(None,) * (4 - weights.ndim)]
    y = cross_correlation2d(
        channels[None],
        kernels,
        stride=stride,
        padding=padding,
        dilation=dilation,
        padding_mode=padding_mode,
        implementation=implementation,
    )
    return y[0] if weights.ndim == 4 else y[0, 0]


def convolve(
    x: Numbers,
    kernel: Numbers,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    padding_mode: PaddingMode = "zeros",
    implementation: str = "native",
) -> Float[Tensor, "*o oh ow"]:
    """The true convolution of plain matrices: the kernel turned by half a turn.

    >>> convolve([[0, 1, 2], [3, 4, 5], [6, 7, 8]], [[0, 1], [2, 3]])
    tensor([[ 5., 11.],
            [23., 29.]])
    """
    image, weights = _tensors(x, kernel)
    return correlate(
        image,
        weights.flip(-2, -1),
        stride=stride,
        padding=padding,
        dilation=dilation,
        padding_mode=padding_mode,
        implementation=implementation,
    )


def pool(
    x: Numbers,
    kernel_size: Pair,
    reduce: Reduce = "max",
    *,
    stride: Pair | None = None,
    padding: Pair = 0,
    implementation: str = "native",
) -> Float[Tensor, "*c oh ow"]:
    """Max or average pooling of a plain matrix, or of each of several channels.

    >>> pool([[0, 1, 2], [3, 4, 5], [6, 7, 8]], 2, "avg", stride=1)
    tensor([[2., 3.],
            [5., 6.]])
    """
    image = as_tensor("x", x)
    if image.ndim not in (2, 3):
        raise ShapeError(f"x has shape {tuple(image.shape)}; give (h, w) or (c, h, w)")
    run = max_pool2d if reduce == "max" else avg_pool2d
    channels = image.reshape(1, -1, *image.shape[-2:])
    y = run(channels, kernel_size, stride=stride, padding=padding, implementation=implementation)
    return y.reshape(*image.shape[:-2], *y.shape[2:])


def as_tensor(name: str, numbers: Numbers) -> Tensor:
    """Nested lists as a float32 tensor; a tensor as it is.

    >>> as_tensor("x", [[1, 2], [3]])
    Traceback (most recent call last):
    convlens.core.errors.ShapeError: x: rows of different length, or something that is no number

    Raises:
        ShapeError: the rows differ in length, or hold something else than numbers.
    """
    if isinstance(numbers, Tensor):
        return numbers
    try:
        return torch.tensor(numbers, dtype=torch.float32)
    except (ValueError, TypeError):
        raise ShapeError(
            f"{name}: rows of different length, or something that is no number"
        ) from None


def _tensors(x: Numbers, kernel: Numbers) -> tuple[Tensor, Tensor]:
    image, weights = as_tensor("x", x), as_tensor("kernel", kernel)
    if (image.ndim, weights.ndim) not in ((2, 2), (3, 3), (3, 4)):
        raise ShapeError(
            f"x has shape {tuple(image.shape)} and the kernel {tuple(weights.shape)}; "
            "give (h, w) with (kh, kw), or (c, h, w) with (c, kh, kw) or (o, c, kh, kw)"
        )
    return image, weights
