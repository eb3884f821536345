"""Correlation: what a convolutional layer computes, in one and in two dimensions.

One signature for every algorithm: `implementation` names a line of `ops/catalog.py`. What networks
call a convolution is the cross-correlation; the true convolution turns the kernel around.

Source: d2l 7.2-7.4; the signature, the values and the gradients are those of
`torch.nn.functional.conv2d` and `conv_transpose2d`.
"""

from jaxtyping import Float
from torch import Tensor

from convlens.core.errors import ShapeError
from convlens.ops.catalog import choose, transpose_by
from convlens.ops.checks import check_rank, correlation_geometry, transposed_geometry
from convlens.ops.geometry import PaddingMode, Pair, pair


def cross_correlation2d(  # noqa: PLR0913 - torch's settings, the padding mode and the algorithm
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "o cg kh kw"],
    *,
    bias: Float[Tensor, "o"] | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    implementation: str = "native",
) -> Float[Tensor, "n o oh ow"]:
    """`y[n,o,i,j] = bias[o] + sum over c, a, b of kernel[o,c,a,b] x[n,c,i+a,j+b]` (stride 1).

    >>> import torch
    >>> x, kernel = torch.arange(9.0).reshape(1, 1, 3, 3), torch.arange(4.0).reshape(1, 1, 2, 2)
    >>> cross_correlation2d(x, kernel, implementation="unfold")
    tensor([[[[19., 25.],
              [37., 43.]]]])
    >>> cross_correlation2d(x, kernel, padding=1, stride=2).shape
    torch.Size([1, 1, 2, 2])

    Raises:
        ShapeError: the tensors or the settings do not fit.
        ConfigError: no such padding mode, or the implementation cannot do this geometry.
        UnknownName: no such implementation.
    """
    geometry = correlation_geometry(
        x,
        kernel,
        bias,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
    )
    return choose(implementation, geometry).correlate(x, kernel, bias, geometry)


def convolution2d(  # noqa: PLR0913 - as cross_correlation2d
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "o cg kh kw"],
    *,
    bias: Float[Tensor, "o"] | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    implementation: str = "native",
) -> Float[Tensor, "n o oh ow"]:
    """The cross-correlation with the kernel turned by half a turn: `kernel[o,c,-a,-b]`.

    >>> import torch
    >>> x, kernel = torch.arange(9.0).reshape(1, 1, 3, 3), torch.arange(4.0).reshape(1, 1, 2, 2)
    >>> convolution2d(x, kernel)
    tensor([[[[ 5., 11.],
              [23., 29.]]]])
    """
    check_rank("kernel", kernel, "o c/g kh kw")
    return cross_correlation2d(
        x,
        kernel.flip(2, 3),
        bias=bias,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        implementation=implementation,
    )


def transposed2d(  # noqa: PLR0913 - torch's settings and the algorithm
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "c og kh kw"],
    *,
    bias: Float[Tensor, "o"] | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    implementation: str = "native",
) -> Float[Tensor, "n o oh ow"]:
    """The transpose of a cross-correlation: each number goes back where it was read from.

    Padding cuts the output here, and the stride spreads it: a stride of 2 doubles the size. It
    is `torch.nn.functional.conv_transpose2d`, and the gradient of `cross_correlation2d` by `x`.

    >>> import torch
    >>> transposed2d(torch.ones(1, 1, 1, 2), torch.tensor([[[[1.0, 2.0]]]]), stride=2)
    tensor([[[[1., 2., 1., 2.]]]])

    Raises:
        ShapeError: the tensors or the settings do not fit.
        ConfigError: the implementation has no transpose.
        UnknownName: no such implementation.
    """
    geometry = transposed_geometry(
        x,
        kernel,
        bias,
        stride=stride,
        padding=padding,
        output_padding=output_padding,
        dilation=dilation,
        groups=groups,
    )
    extra = pair(output_padding, "output_padding")
    return transpose_by(implementation)(x, kernel, bias, geometry, extra)


def cross_correlation1d(  # noqa: PLR0913 - as cross_correlation2d
    x: Float[Tensor, "n c w"],
    kernel: Float[Tensor, "o cg kw"],
    *,
    bias: Float[Tensor, "o"] | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    implementation: str = "native",
) -> Float[Tensor, "n o ow"]:
    """`y[n,o,j] = bias[o] + sum over c, b of kernel[o,c,b] x[n,c,j+b]`: a signal is a flat image.

    >>> import torch
    >>> cross_correlation1d(torch.tensor([[[1.0, 2.0, 4.0]]]), torch.tensor([[[-1.0, 1.0]]]))
    tensor([[[1., 2.]]])
    """
    flat, flat_kernel = _flat(x, kernel, "o c/g kw")
    return cross_correlation2d(
        flat,
        flat_kernel,
        bias=bias,
        stride=(1, _single(stride, "stride")),
        padding=(0, _single(padding, "padding")),
        dilation=(1, _single(dilation, "dilation")),
        groups=groups,
        padding_mode=padding_mode,
        implementation=implementation,
    ).squeeze(2)


def convolution1d(  # noqa: PLR0913 - as cross_correlation2d
    x: Float[Tensor, "n c w"],
    kernel: Float[Tensor, "o cg kw"],
    *,
    bias: Float[Tensor, "o"] | None = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    implementation: str = "native",
) -> Float[Tensor, "n o ow"]:
    """The cross-correlation with the kernel turned around: `kernel[o,c,-b]`.

    >>> import torch
    >>> convolution1d(torch.tensor([[[1.0, 2.0, 4.0]]]), torch.tensor([[[-1.0, 1.0]]]))
    tensor([[[-1., -2.]]])
    """
    check_rank("kernel", kernel, "o c/g kw")
    return cross_correlation1d(
        x,
        kernel.flip(2),
        bias=bias,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
        implementation=implementation,
    )


def transposed1d(  # noqa: PLR0913 - as transposed2d
    x: Float[Tensor, "n c w"],
    kernel: Float[Tensor, "c og kw"],
    *,
    bias: Float[Tensor, "o"] | None = None,
    stride: int = 1,
    padding: int = 0,
    output_padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
    implementation: str = "native",
) -> Float[Tensor, "n o ow"]:
    """The transpose of a one-dimensional cross-correlation.

    >>> import torch
    >>> transposed1d(torch.ones(1, 1, 2), torch.tensor([[[1.0, 2.0]]]), stride=2)
    tensor([[[1., 2., 1., 2.]]])
    """
    flat, flat_kernel = _flat(x, kernel, "c o/g kw")
    return transposed2d(
        flat,
        flat_kernel,
        bias=bias,
        stride=(1, _single(stride, "stride")),
        padding=(0, _single(padding, "padding")),
        output_padding=(0, _single(output_padding, "output_padding")),
        dilation=(1, _single(dilation, "dilation")),
        groups=groups,
        implementation=implementation,
    ).squeeze(2)


def _flat(x: Tensor, kernel: Tensor, kernel_axes: str) -> tuple[Tensor, Tensor]:
    check_rank("x", x, "n c w")
    check_rank("kernel", kernel, kernel_axes)
    return x.unsqueeze(2), kernel.unsqueeze(2)


def _single(value: object, setting: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ShapeError(f"{setting}={value!r}: a signal has one axis, give one whole number")
    return value
