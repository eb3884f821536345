"""What the options of `convlens conv` ask, as an operation whose numbers can be opened."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from convlens.core.errors import ConfigError, ShapeError
from convlens.data.matrix import TEXT_ENDINGS, is_numbers, read_matrix
from convlens.ops import kernels
from convlens.ops.geometry import PaddingMode, PoolGeometry, Reduce
from convlens.ops.steps.backward import Backward
from convlens.ops.steps.forward import Correlation
from convlens.ops.steps.pooling import Pooling, PoolingBackward


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """The options as they were typed."""

    input: str
    kernel: str
    bias: str | None
    stride: str | None
    padding: str
    dilation: str
    groups: int
    padding_mode: PaddingMode
    true_convolution: bool
    pool: Reduce | None
    size: str
    ceil_mode: bool
    count_include_pad: bool


def correlation_of(options: Options) -> Correlation:
    """The correlation that the options ask for.

    A kernel of one matrix is used for every channel.

    Raises:
        ConfigError: something that is no number, or an option of pooling only.
        DataError: a file that cannot be read.
        ShapeError: numbers that do not fit.
        UnknownName: no such kernel.
    """
    _refuse({"--ceil-mode": options.ceil_mode}, "goes with --pool")
    _refuse({"--no-count-include-pad": not options.count_include_pad}, "goes with --pool avg")
    x = read_image(options.input)
    kernel = for_channels(read_kernel(options.kernel), x.shape[0], options.groups)
    bias = None
    if options.bias is not None:
        bias = read_matrix(options.bias, "--bias").flatten()
        bias = bias.expand(kernel.shape[0]) if len(bias) == 1 else bias
    return Correlation.of(
        x,
        kernel,
        bias,
        stride=numbers(options.stride or "1", "--stride"),
        padding=numbers(options.padding, "--padding"),
        dilation=numbers(options.dilation, "--dilation"),
        groups=options.groups,
        padding_mode=options.padding_mode,
        turned=options.true_convolution,
    )


def pooling_of(options: Options, reduce: Reduce) -> Pooling:
    """The pooling that the options ask for.

    Raises:
        ConfigError: an option that pooling does not have.
        ShapeError: a window that does not fit.
    """
    idle = {
        "--groups": options.groups != 1,
        "--bias": options.bias is not None,
        "--true-convolution": options.true_convolution,
        "--padding-mode": options.padding_mode != "zeros",
    }
    _refuse(idle, "pooling has none")
    if reduce == "max":
        _refuse({"--no-count-include-pad": not options.count_include_pad}, "goes with --pool avg")
    geometry = PoolGeometry.of(
        numbers(options.size, "--size"),
        stride=None if options.stride is None else numbers(options.stride, "--stride"),
        padding=numbers(options.padding, "--padding"),
        dilation=numbers(options.dilation, "--dilation"),
        ceil_mode=options.ceil_mode,
        count_include_pad=options.count_include_pad,
    )
    return Pooling(read_image(options.input), geometry, reduce)


def _refuse(given: Mapping[str, bool], why: str) -> None:
    for name, is_given in given.items():
        if is_given:
            raise ConfigError(f"{name}: {why}")


def backward_of(forward: Correlation | Pooling, grad: str | None) -> Backward | PoolingBackward:
    """The backward pass with the `dL/dy` that was typed, else with ones.

    Raises:
        ShapeError: `dL/dy` has not the output's shape; one number stands for all.
    """
    shape = forward.output_shape()
    found = torch.ones(1) if grad is None else read_matrix(grad, "--grad")
    if found.numel() == 1:
        found = found.double().reshape(1, 1, 1).expand(shape)
    found = found[None] if found.ndim == 2 else found
    if tuple(found.shape) != shape:
        raise ShapeError(
            f"--grad has shape {tuple(found.shape)}; it must have that of the output, {shape}"
        )
    if isinstance(forward, Pooling):
        return PoolingBackward(forward, found)
    return Backward.of(forward, found)


def read_image(given: str) -> Tensor:
    """The input's numbers as channels of rows."""
    found = read_matrix(given, "--input")
    if found.ndim not in (2, 3):
        raise ShapeError(f"--input has shape {tuple(found.shape)}; give (h, w) or (c, h, w)")
    return found[None] if found.ndim == 2 else found


def read_kernel(given: str) -> Tensor:
    """The numbers of a kernel: typed, from a file, or from the gallery."""
    path = Path(given)
    if is_numbers(given) or path.is_file() or path.suffix in (*TEXT_ENDINGS, ".npy"):
        return read_matrix(given, "--kernel")
    return kernels.kernel(given).double()


def for_channels(kernel: Tensor, channels: int, groups: int) -> Tensor:
    """The kernel as (o, c/g, kh, kw).

    A matrix is repeated for every group and every channel of it; of three axes the first is
    the channels, or with one channel a group the kernels.
    """
    within = channels // groups if groups > 0 else 0
    match kernel.ndim:
        case 2:
            return kernel.expand(max(groups, 1), max(within, 1), *kernel.shape)
        case 3 if groups > 1 and within == 1:
            return kernel[:, None]
        case 3:
            return kernel[None]
        case 4:
            return kernel
        case _:
            raise ShapeError(
                f"--kernel has shape {tuple(kernel.shape)}; "
                "give (kh, kw), (c, kh, kw) or (o, c, kh, kw)"
            )


def numbers(text: str, setting: str) -> tuple[int, ...]:
    """One or more whole numbers with commas between; one stands for both axes.

    >>> numbers("2", "--stride"), numbers("1,2", "--stride")
    ((2, 2), (1, 2))
    """
    try:
        found = tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ConfigError(
            f"{setting} {text!r}: needs a whole number, or two with a comma between: 1,2"
        ) from None
    return found * 2 if len(found) == 1 else found


def place(text: str, setting: str, axes: int) -> tuple[Any, ...]:
    """A place as row,column, with the channels before it left out where they are 0.

    >>> place("1,2", "--at", 3)
    (0, 1, 2)
    """
    found = numbers(text, setting) if "," in text else ()
    if not 2 <= len(found) <= axes:
        raise ConfigError(f"{setting} {text!r}: needs row,column, as in {setting} 0,1")
    return (0,) * (axes - len(found)) + found
