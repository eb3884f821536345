"""Pooling layers: torch's own, whose arithmetic can be chosen by name.

Source: d2l 7.5; Lin, Chen and Yan (2013), https://arxiv.org/abs/1312.4400 (global pooling).
"""

from collections.abc import Callable, Sequence
from typing import Any, final

from jaxtyping import Float
from torch import Tensor, nn

from convlens.core.errors import ConfigError
from convlens.nn.conv import Size
from convlens.ops.catalog import Operation, adaptive_pool_by, names_for, pool_by
from convlens.ops.geometry import PoolGeometry
from convlens.ops.pooling import adaptive_avg_pool2d, adaptive_max_pool2d, avg_pool2d, max_pool2d


def pooling_beside(implementation: str, operation: Operation = "pool") -> str:
    """`implementation` if it can pool, else "native": what a model pools by.

    Some algorithms (fft, matrix, Winograd's) are ways to correlate only, so a model that runs
    on one of them has its pooling done natively.

    >>> pooling_beside("unfold"), pooling_beside("fft")
    ('unfold', 'native')
    """
    return implementation if implementation in names_for(operation) else "native"


@final
class MaxPool2d(nn.MaxPool2d):
    """A `torch.nn.MaxPool2d` whose forward is done by `implementation`.

    Raises:
        ConfigError: the implementation has no pooling, or gives no indices.
        UnknownName: no such implementation.
        ShapeError: a window that makes no sense.
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        dilation: Size = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
        *,
        implementation: str = "native",
    ) -> None:
        super().__init__(kernel_size, stride, padding, dilation, return_indices, ceil_mode)
        self.implementation = implementation
        geometry = PoolGeometry.of(kernel_size, stride=stride, padding=padding, dilation=dilation)
        # Where torch's own layer can write outside its memory; see ops/algorithms/native.py.
        self._risky = geometry.may_see_only_padding
        if implementation != "native":
            _refuse(self, "return_indices", return_indices)
            _named(self, pool_by)

    def forward(self, input: Float[Tensor, "*n c h w"]) -> Any:
        """The greatest cell of each window; with `return_indices` also where it was."""
        if self.implementation == "native" and (self.return_indices or not self._risky):
            return super().forward(input)
        if input.ndim == 3:  # one image, as torch takes it too
            return self.forward(input.unsqueeze(0)).squeeze(0)
        return max_pool2d(
            input,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            dilation=self.dilation,
            ceil_mode=self.ceil_mode,
            implementation=self.implementation,
        )

    def extra_repr(self) -> str:
        """The settings of the layer as torch prints them, and the implementation if chosen."""
        return _with_implementation(super().extra_repr(), self.implementation)


@final
class AvgPool2d(nn.AvgPool2d):
    """A `torch.nn.AvgPool2d` whose forward is done by `implementation`.

    >>> AvgPool2d(2, implementation="fft")
    Traceback (most recent call last):
    convlens.core.errors.ConfigError: AvgPool2d(kernel_size=2, stride=2, padding=0, \
implementation='fft'): implementation 'fft' has no pool
    these have: native, reference, unfold

    Raises:
        ConfigError: the implementation has no pooling, or knows no divisor but its own.
        UnknownName: no such implementation.
        ShapeError: a window that makes no sense.
    """

    def __init__(
        self,
        kernel_size: Size,
        stride: Size | None = None,
        padding: Size = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
        *,
        implementation: str = "native",
    ) -> None:
        super().__init__(
            kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
        )
        self.implementation = implementation
        if implementation != "native":
            _refuse(self, "divisor_override", divisor_override)
            PoolGeometry.of(kernel_size, stride=stride, padding=padding)
            _named(self, pool_by)

    def forward(self, input: Float[Tensor, "*n c h w"]) -> Float[Tensor, "*n c oh ow"]:
        """The mean of each window."""
        if self.implementation == "native":
            return super().forward(input)
        if input.ndim == 3:  # one image, as torch takes it too
            return self.forward(input.unsqueeze(0)).squeeze(0)
        return avg_pool2d(
            input,
            self.kernel_size,
            stride=self.stride,
            padding=self.padding,
            ceil_mode=self.ceil_mode,
            count_include_pad=self.count_include_pad,
            implementation=self.implementation,
        )

    def extra_repr(self) -> str:
        """The settings of the layer as torch prints them, and the implementation if chosen."""
        return _with_implementation(super().extra_repr(), self.implementation)


class AdaptiveMaxPool2d(nn.AdaptiveMaxPool2d):
    """A `torch.nn.AdaptiveMaxPool2d` whose forward is done by `implementation`.

    Raises:
        ConfigError: the implementation has no adaptive pooling, or gives no indices.
        UnknownName: no such implementation.
    """

    def __init__(
        self,
        output_size: int | tuple[int | None, int | None],
        return_indices: bool = False,
        *,
        implementation: str = "native",
    ) -> None:
        super().__init__(output_size, return_indices)
        self.implementation = implementation
        if implementation != "native":
            _refuse(self, "return_indices", return_indices)
            _named(self, adaptive_pool_by)

    def forward(self, input: Float[Tensor, "*n c h w"]) -> Any:
        """The greatest cell of each window; with `return_indices` also where it was."""
        if self.implementation == "native":
            return super().forward(input)
        if input.ndim == 3:  # one image, as torch takes it too
            return self.forward(input.unsqueeze(0)).squeeze(0)
        size = _size(self.output_size, input)
        return adaptive_max_pool2d(input, size, implementation=self.implementation)

    def extra_repr(self) -> str:
        """The settings of the layer as torch prints them, and the implementation if chosen."""
        return _with_implementation(super().extra_repr(), self.implementation)


class AdaptiveAvgPool2d(nn.AdaptiveAvgPool2d):
    """A `torch.nn.AdaptiveAvgPool2d` whose forward is done by `implementation`.

    Raises:
        ConfigError: the implementation has no adaptive pooling.
        UnknownName: no such implementation.
    """

    def __init__(
        self,
        output_size: int | tuple[int | None, int | None],
        *,
        implementation: str = "native",
    ) -> None:
        super().__init__(output_size)
        self.implementation = implementation
        if implementation != "native":
            _named(self, adaptive_pool_by)

    def forward(self, input: Float[Tensor, "*n c h w"]) -> Float[Tensor, "*n c oh ow"]:
        """The mean of each window."""
        if self.implementation == "native":
            return super().forward(input)
        if input.ndim == 3:  # one image, as torch takes it too
            return self.forward(input.unsqueeze(0)).squeeze(0)
        size = _size(self.output_size, input)
        return adaptive_avg_pool2d(input, size, implementation=self.implementation)

    def extra_repr(self) -> str:
        """The settings of the layer as torch prints them, and the implementation if chosen."""
        return _with_implementation(super().extra_repr(), self.implementation)


@final
class GlobalMaxPool2d(AdaptiveMaxPool2d):
    """The greatest cell of each channel, as an image of one cell."""

    def __init__(self, *, implementation: str = "native") -> None:
        super().__init__(1, implementation=implementation)


@final
class GlobalAvgPool2d(AdaptiveAvgPool2d):
    """The mean of each channel, as an image of one cell.

    >>> import torch
    >>> GlobalAvgPool2d()(torch.arange(4.0).reshape(1, 1, 2, 2))
    tensor([[[[1.5000]]]])
    """

    def __init__(self, *, implementation: str = "native") -> None:
        super().__init__(1, implementation=implementation)


def _with_implementation(settings: str, implementation: str) -> str:
    if implementation == "native":
        return settings
    return f"{settings}, implementation={implementation!r}"


def _refuse(layer: nn.Module, setting: str, value: object) -> None:
    if value:
        raise ConfigError(
            f"{layer}: {setting}={value} is known to implementation 'native' only",
            fix=f"leave out {setting} or implementation",
        )


def _named(layer: nn.Module, choose: Callable[[str], object]) -> None:
    """Let through a layer whose implementation pools; its error names the layer."""
    try:
        choose(str(layer.implementation))
    except ConfigError as error:
        raise ConfigError(f"{layer}: {error.what}", fix=error.fix) from None


def _size(output_size: int | Sequence[int | None] | None, images: Tensor) -> tuple[int, int]:
    """The output size in numbers; None is the size of the image, as in torch."""
    sizes = output_size if isinstance(output_size, Sequence) else (output_size, output_size)
    rows, columns = (
        images.shape[axis] if size is None else size
        for axis, size in zip((-2, -1), sizes, strict=True)
    )
    return rows, columns
