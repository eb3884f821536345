"""Checks: what the tensors of an operation must be, asked in one place and before computing.

Each function raises a ShapeError that names the shapes, the setting and the rule; what it
lets through, every implementation can rely on.
"""

from torch import Tensor

from convlens.core.errors import ShapeError
from convlens.ops.geometry import Geometry, PaddingMode, Pair, PoolGeometry, pair


def check_numbers(**tensors: Tensor | None) -> None:
    """Let through floating-point tensors of one type on one device.

    >>> import torch
    >>> check_numbers(x=torch.arange(3))
    Traceback (most recent call last):
    convlens.core.errors.ShapeError: x holds int64; it must hold floating-point numbers
    convert it: x.float()
    """
    given = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    for name, tensor in given.items():
        if not tensor.is_floating_point():
            raise ShapeError(
                f"{name} holds {_short(tensor.dtype)}; it must hold floating-point numbers",
                fix=f"convert it: {name}.float()",
            )
    for what, values in (
        ("types", {name: _short(tensor.dtype) for name, tensor in given.items()}),
        ("devices", {name: str(tensor.device) for name, tensor in given.items()}),
    ):
        if len(set(values.values())) > 1:
            listed = ", ".join(f"{name} {value}" for name, value in values.items())
            raise ShapeError(f"different {what}: {listed}; they must be the same")


def check_rank(name: str, tensor: Tensor, axes: str) -> None:
    """Let through a tensor with as many axes as `axes` has letters.

    >>> import torch
    >>> check_rank("x", torch.ones(3, 3), "n c h w")
    Traceback (most recent call last):
    convlens.core.errors.ShapeError: x has shape (3, 3): 2 axes where 4 are needed, (n, c, h, w)
    for one plain matrix use convlens.ops.plain
    """
    letters = axes.split()
    if tensor.ndim != len(letters):
        raise ShapeError(
            f"{name} has shape {tuple(tensor.shape)}: {tensor.ndim} axes where "
            f"{len(letters)} are needed, ({', '.join(letters)})",
            fix="for one plain matrix use convlens.ops.plain" if tensor.ndim == 2 else "",
        )


def correlation_geometry(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
) -> Geometry:
    """The geometry of these settings, once `x`, `kernel` and `bias` fit it and each other.

    Raises:
        ShapeError: they do not.
        ConfigError: no such padding mode.
    """
    _check_pair(x, kernel, bias, kernel_axes="o c/g kh kw")
    geometry = Geometry.of(
        kernel.shape[2:],
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        padding_mode=padding_mode,
    )
    channels, out_channels = x.shape[1], kernel.shape[0]
    _check_groups({"channels in": channels, "channels out": out_channels}, groups, x, kernel)
    if kernel.shape[1] * groups != channels:
        raise ShapeError(
            f"{_both(x, kernel)}: with {channels} channels in and groups={groups} "
            f"each kernel needs {channels} / {groups} = {channels // groups} channels, "
            f"it has {kernel.shape[1]}"
        )
    _check_bias(bias, out_channels)
    _check_size(geometry, x, kernel)
    return geometry


def transposed_geometry(
    x: Tensor,
    kernel: Tensor,
    bias: Tensor | None = None,
    *,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Geometry:
    """The geometry whose transpose these settings describe, once the tensors fit it.

    Raises:
        ShapeError: they do not.
    """
    _check_pair(x, kernel, bias, kernel_axes="c o/g kh kw")
    geometry = Geometry.of(
        kernel.shape[2:], stride=stride, padding=padding, dilation=dilation, groups=groups
    )
    channels = x.shape[1]
    _check_groups({"channels in": channels}, groups, x, kernel)
    if kernel.shape[0] != channels:
        raise ShapeError(
            f"{_both(x, kernel)}: a transposed kernel is (c, o/g, kh, kw) and needs "
            f"{channels} kernels, one per channel in; it has {kernel.shape[0]}"
        )
    _check_bias(bias, kernel.shape[1] * groups)
    try:
        extra = pair(output_padding, "output_padding")
        geometry.transposed_size(x.shape[2], x.shape[3], extra)
    except ShapeError as error:
        raise ShapeError(f"{_both(x, kernel)}: {error}") from None
    return geometry


def check_pool(x: Tensor, geometry: PoolGeometry) -> None:
    """Let through a batch of images that the pooling window fits at least once."""
    check_batch(x)
    try:
        geometry.output_size(*x.shape[2:])
    except ShapeError as error:
        raise ShapeError(f"x {tuple(x.shape)}: {error}") from None


def check_batch(x: Tensor) -> None:
    """Let through images of floating-point numbers; a batch may be empty, an image not."""
    check_rank("x", x, "n c h w")
    check_numbers(x=x)
    if min(x.shape[1:]) < 1:
        raise ShapeError(f"x {tuple(x.shape)}: channels, height and width must be >= 1")


def _check_pair(x: Tensor, kernel: Tensor, bias: Tensor | None, *, kernel_axes: str) -> None:
    check_rank("x", x, "n c h w")
    check_rank("kernel", kernel, kernel_axes)
    check_numbers(x=x, kernel=kernel, bias=bias)
    for name, sizes in (("x", x.shape[1:]), ("kernel", kernel.shape)):
        if min(sizes) < 1:
            raise ShapeError(f"{_both(x, kernel)}: {name} has an axis of length 0")


def _check_groups(counts: dict[str, int], groups: int, x: Tensor, kernel: Tensor) -> None:
    for name, count in counts.items():
        if count % groups:
            raise ShapeError(
                f"{_both(x, kernel)}: {count} {name} do not divide into groups={groups}; "
                "both channel counts must be multiples of groups"
            )


def _check_bias(bias: Tensor | None, out_channels: int) -> None:
    if bias is not None and tuple(bias.shape) != (out_channels,):
        raise ShapeError(
            f"bias has shape {tuple(bias.shape)}: needs one number per channel out, "
            f"({out_channels},)"
        )


def _check_size(geometry: Geometry, x: Tensor, kernel: Tensor) -> None:
    try:
        geometry.output_size(*x.shape[2:])
    except ShapeError as error:
        raise ShapeError(f"{_both(x, kernel)}: {error}") from None


def _both(x: Tensor, kernel: Tensor) -> str:
    return f"x {tuple(x.shape)} and kernel {tuple(kernel.shape)}"


def _short(dtype: object) -> str:
    return str(dtype).removeprefix("torch.")
