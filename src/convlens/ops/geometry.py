"""Geometry: a correlation or a pooling, described and checked before anything is computed.

Two windows, one per axis, with the groups, the padding mode and the rules of the sizes.
Every implementation is handed one of these, so none parses a setting or checks a shape.

Source: Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285; the rules for sizes and
refused settings are PyTorch's.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from convlens.core.errors import ConfigError, ShapeError
from convlens.core.names import suggestion
from convlens.ops.window import Window

Pair = int | Sequence[int]  # one number for both axes, or (rows, columns)
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]
Reduce = Literal["max", "avg"]  # what pooling makes of the cells of a window
PADDING_MODES: tuple[PaddingMode, ...] = get_args(PaddingMode)


def pair(value: Pair, setting: str) -> tuple[int, int]:
    """The two numbers of a setting that may be given as one.

    >>> pair(3, "stride"), pair((1, 2), "stride")
    ((3, 3), (1, 2))

    Raises:
        ShapeError: neither one whole number nor two.
    """
    numbers = value if isinstance(value, Sequence) else (value, value)
    if len(numbers) != 2 or any(type(number) is not int for number in numbers):
        raise ShapeError(f"{setting}={value!r}: needs one whole number, or two (rows, columns)")
    return numbers[0], numbers[1]


def source(position: int, size: int, mode: PaddingMode) -> int | None:
    """Where on an axis of `size` the value at `position` comes from; None if it is a zero.

    >>> [source(p, 4, "reflect") for p in range(-2, 6)]
    [2, 1, 0, 1, 2, 3, 2, 1]
    >>> [source(p, 4, "replicate") for p in range(-2, 6)]
    [0, 0, 0, 1, 2, 3, 3, 3]
    >>> [source(p, 4, "circular") for p in range(-2, 6)]
    [2, 3, 0, 1, 2, 3, 0, 1]
    >>> [source(p, 4, "zeros") for p in range(-2, 6)]
    [None, None, 0, 1, 2, 3, None, None]
    """
    if 0 <= position < size:
        return position
    match mode:
        case "zeros":
            return None
        case "reflect":
            return -position if position < 0 else 2 * (size - 1) - position
        case "replicate":
            return 0 if position < 0 else size - 1
        case "circular":
            return position % size


def windows_of(
    kernel_size: Pair, stride: Pair, padding: Pair, dilation: Pair
) -> tuple[Window, ...]:
    """The window of the rows and the window of the columns."""
    settings = {"stride": stride, "padding": padding, "dilation": dilation}
    return tuple(
        Window(kernel, **{name: pair(value, name)[axis] for name, value in settings.items()})
        for axis, kernel in enumerate(pair(kernel_size, "kernel_size"))
    )


@dataclass(frozen=True, slots=True)
class Geometry:
    """How a kernel slides over an image: all of a correlation but its numbers."""

    rows: Window
    columns: Window
    groups: int = 1
    padding_mode: PaddingMode = "zeros"

    def __post_init__(self) -> None:
        if self.groups < 1:
            raise ShapeError(f"groups={self.groups}: must be >= 1")
        if self.padding_mode not in PADDING_MODES:
            raise ConfigError(
                f"padding_mode={self.padding_mode!r}: unknown; "
                f"{suggestion(str(self.padding_mode), PADDING_MODES)}"
            )

    @classmethod
    def of(
        cls,
        kernel_size: Pair,
        *,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        padding_mode: PaddingMode = "zeros",
    ) -> "Geometry":
        """The geometry of settings as a layer takes them.

        >>> Geometry.of(3, padding=1, stride=2).output_size(28, 28)
        (14, 14)
        """
        rows, columns = windows_of(kernel_size, stride, padding, dilation)
        return cls(rows, columns, groups, padding_mode)

    @property
    def kernel_size(self) -> tuple[int, int]:
        """Height and width of the kernel, holes not counted."""
        return self.rows.kernel, self.columns.kernel

    @property
    def padding(self) -> tuple[int, int]:
        """Rows added above and below, columns added left and right."""
        return self.rows.padding, self.columns.padding

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the output on an image of this size.

        Raises:
            ShapeError: the kernel does not fit once, or the padding mode cannot pad so far.
        """
        for axis, size, padding in zip(
            ("height", "width"), (height, width), self.padding, strict=True
        ):
            if size < 1:
                raise ShapeError(f"the image is {height} x {width}: its {axis} must be >= 1")
            if self.padding_mode == "reflect" and padding >= size:
                raise ShapeError(
                    f"padding={padding} with padding_mode='reflect' needs a larger image: "
                    f"padding < {axis}, and the {axis} is {size}"
                )
            if self.padding_mode == "circular" and padding > size:
                raise ShapeError(
                    f"padding={padding} with padding_mode='circular' needs a larger image: "
                    f"padding <= {axis}, and the {axis} is {size}"
                )
        return self.rows.output_size(height), self.columns.output_size(width)

    def transposed_size(
        self, height: int, width: int, output_padding: tuple[int, int] = (0, 0)
    ) -> tuple[int, int]:
        """The image size that this geometry maps to `height` x `width`: its transpose's output.

        A stride leaves several sizes with the same output; `output_padding` chooses among them.

        >>> Geometry.of(3, stride=2, padding=1).transposed_size(4, 4, (1, 1))
        (8, 8)

        Raises:
            ShapeError: there is no such size, or `output_padding` is out of range.
        """
        if self.padding_mode != "zeros":
            raise ConfigError(
                f"padding_mode={self.padding_mode!r}: a transposed correlation knows only 'zeros'"
            )
        sizes = [
            _transposed_size(window, size, extra)
            for window, size, extra in zip(
                (self.rows, self.columns), (height, width), output_padding, strict=True
            )
        ]
        return sizes[0], sizes[1]

    def unpadded(self) -> "Geometry":
        """The same sliding over an image that has its padding already."""
        return replace(
            self, rows=replace(self.rows, padding=0), columns=replace(self.columns, padding=0)
        )


def _transposed_size(window: Window, size: int, extra: int) -> int:
    if not 0 <= extra < max(window.stride, window.dilation):
        raise ShapeError(
            f"output_padding={extra}: must be >= 0 and less than the larger of "
            f"stride={window.stride} and dilation={window.dilation}"
        )
    result = (size - 1) * window.stride - 2 * window.padding + window.extent + extra
    if size < 1 or result < 1:
        raise ShapeError(
            f"the transpose of {window} makes {result} out of {size}: "
            "(size - 1) * stride - 2 * padding + extent + output_padding must be >= 1"
        )
    return result


@dataclass(frozen=True, slots=True)
class PoolGeometry:
    """How a pooling window slides over each channel."""

    rows: Window
    columns: Window
    ceil_mode: bool = False  # whether a last window may hang over the padded edge
    count_include_pad: bool = True  # whether an average divides by padding cells too

    def __post_init__(self) -> None:
        for window in (self.rows, self.columns):
            if window.padding > window.kernel // 2:
                raise ShapeError(
                    f"padding={window.padding}: pooling pads at most half its "
                    f"kernel_size={window.kernel}, as in torch"
                )

    @classmethod
    def of(
        cls,
        kernel_size: Pair,
        *,
        stride: Pair | None = None,
        padding: Pair = 0,
        dilation: Pair = 1,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> "PoolGeometry":
        """The geometry of settings as a pooling layer takes them; the stride is the kernel's size.

        >>> PoolGeometry.of(2).output_size(5, 5)
        (2, 2)
        >>> PoolGeometry.of(2, ceil_mode=True).output_size(5, 5)
        (3, 3)
        """
        stride = kernel_size if stride is None else stride
        rows, columns = windows_of(kernel_size, stride, padding, dilation)
        return cls(rows, columns, ceil_mode, count_include_pad)

    @property
    def may_see_only_padding(self) -> bool:
        """On a small image the holes of a dilated window may fall on all that is not padding."""
        return any(window.padding and window.dilation > 1 for window in (self.rows, self.columns))

    def output_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the output on an image of this size.

        Raises:
            ShapeError: the window does not fit once.
        """
        return self._along(self.rows, height), self._along(self.columns, width)

    def cells(self, height: int, width: int) -> tuple[list[int], list[int]]:
        """How many rows, and how many columns, each window's average is over; at least one.

        >>> PoolGeometry.of(2, padding=1, count_include_pad=False).cells(2, 3)
        ([1, 1], [1, 2])
        """
        sizes = self.output_size(height, width)
        rows, columns = (
            [self._counted(window, size, index) for index in range(count)]
            for window, size, count in zip(
                (self.rows, self.columns), (height, width), sizes, strict=True
            )
        )
        return rows, columns

    def _counted(self, window: Window, size: int, index: int) -> int:
        border = window.padding if self.count_include_pad else 0
        return max(sum(-border <= tap < size + border for tap in window.taps(index)), 1)

    def _along(self, window: Window, size: int) -> int:
        if size < 1:
            raise ShapeError(f"an axis of {size}: pooling needs at least one row and column")
        room = size + 2 * window.padding - window.extent
        if not self.ceil_mode or room % window.stride == 0:
            return window.output_size(size)
        count = -(-room // window.stride) + 1
        if (count - 1) * window.stride >= size + window.padding:
            count -= 1  # a window that would start beyond the image is not counted
        if count < 1:
            return window.output_size(size)  # its error says why
        return count
