"""Forward: a cross-correlation or a true convolution of one image, number by number.

>>> import torch
>>> x, kernel = torch.arange(9.0).reshape(1, 3, 3), torch.arange(4.0).reshape(1, 1, 2, 2)
>>> step = Correlation.of(x, kernel).step((0, 0, 0))
>>> [(product.pixel.value, product.weight) for product in step.products], step.sum
([(0.0, 0.0), (1.0, 1.0), (3.0, 2.0), (4.0, 3.0)], 19.0)

Source: d2l 7.2 (one channel), 7.3 (padding and stride), 7.4 (channels).
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product as combinations
from typing import Any

from jaxtyping import Float
from torch import Tensor

from convlens.core.errors import ShapeError
from convlens.ops.checks import correlation_geometry
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.geometry import Geometry, PaddingMode, Pair, source
from convlens.ops.steps.records import Cell, CorrelationStep, Entry, Pixel, Product


@dataclass(frozen=True, slots=True, eq=False)
class Correlation:
    """A correlation whose every number can be asked for; all are float64."""

    x: Float[Tensor, "c h w"]
    kernel: Float[Tensor, "o cg kh kw"]  # as it was given
    bias: Float[Tensor, "o"] | None
    geometry: Geometry
    turned: bool  # a true convolution: the kernel is applied turned by half a turn

    @classmethod
    def of(  # noqa: PLR0913 - the settings of cross_correlation2d
        cls,
        x: Float[Tensor, "c h w"],
        kernel: Float[Tensor, "o cg kh kw"],
        bias: Float[Tensor, "o"] | None = None,
        *,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        padding_mode: PaddingMode = "zeros",
        turned: bool = False,
    ) -> "Correlation":
        """The correlation with these settings, checked.

        Raises:
            ShapeError: the tensors or the settings do not fit.
        """
        geometry = correlation_geometry(
            x[None],
            kernel,
            bias,
            stride=stride,
            padding=padding,
            dilation=dilation,
            groups=groups,
            padding_mode=padding_mode,
        )
        return cls(
            x.double(), kernel.double(), None if bias is None else bias.double(), geometry, turned
        )

    @property
    def applied(self) -> Float[Tensor, "o cg kh kw"]:
        """The kernel as it meets the image: turned by half a turn in a true convolution."""
        return self.kernel.flip(2, 3) if self.turned else self.kernel

    def output(self) -> Float[Tensor, "o oh ow"]:
        """The whole output, by `cross_correlation2d`."""
        return cross_correlation2d(
            self.x[None], self.applied, bias=self.bias, **settings_of(self.geometry)
        )[0]

    def output_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the output."""
        return (self.kernel.shape[0], *self.geometry.output_size(*self.x.shape[1:]))

    def cells(self) -> Iterator[Cell]:
        """Every place of the output, in reading order, channel after channel."""
        channels, height, width = self.output_shape()
        return combinations(range(channels), range(height), range(width))

    def pixel(self, channel: int, row: int, column: int) -> Pixel:
        """What a window finds at a place that may lie in the padding."""
        mode = self.geometry.padding_mode
        r = source(row, self.x.shape[1], mode)
        s = source(column, self.x.shape[2], mode)
        if r is None or s is None:
            return Pixel(channel, row, column, None, 0.0)
        return Pixel(channel, row, column, (r, s), self.x[channel, r, s].item())

    def group(self, out_channel: int) -> int:
        """The group that an output channel belongs to."""
        return out_channel // (self.kernel.shape[0] // self.geometry.groups)

    def step(self, cell: Cell) -> CorrelationStep:
        """How the number at `cell` of the output comes about.

        Raises:
            ShapeError: there is no such place.
        """
        check_place("the output", cell, self.output_shape())
        out, i, j = cell
        group, applied = self.group(out), self.applied
        products: list[Product] = []
        for within in range(self.kernel.shape[1]):
            channel = group * self.kernel.shape[1] + within
            for a, row in enumerate(self.geometry.rows.taps(i)):
                for b, column in enumerate(self.geometry.columns.taps(j)):
                    pixel = self.pixel(channel, row, column)
                    weight: float = applied[out, within, a, b].item()
                    value = (pixel.value or 0.0) * weight
                    products.append(Product(pixel, self.entry(out, within, a, b), weight, value))
        bias = 0.0 if self.bias is None else self.bias[out].item()
        total = sum((product.product for product in products), start=0.0) + bias
        return CorrelationStep(cell, group, tuple(products), bias, total)

    def entry(self, out: int, within: int, a: int, b: int) -> Entry:
        """Which entry of the kernel as given meets tap (a, b) of the window."""
        height, width = self.geometry.kernel_size
        return (out, within, height - 1 - a, width - 1 - b) if self.turned else (out, within, a, b)

    def view(self, steps: tuple[CorrelationStep, ...]) -> Mapping[str, Any]:
        """Everything that a picture of these steps needs, as `plain` can take it."""
        return {
            "operation": "convolution2d" if self.turned else "cross_correlation2d",
            "settings": settings_of(self.geometry),
            "input": self.x.tolist(),
            "kernel": self.kernel.tolist(),
            "applied_kernel": self.applied.tolist(),
            "bias": None if self.bias is None else self.bias.tolist(),
            "output": self.output().tolist(),
            "steps": steps,
        }


def settings_of(geometry: Geometry) -> dict[str, Any]:
    """The keywords of `cross_correlation2d` that this geometry was made of.

    >>> settings_of(Geometry.of(3, stride=(1, 2)))["stride"]
    (1, 2)
    """
    rows, columns = geometry.rows, geometry.columns
    return {
        "stride": (rows.stride, columns.stride),
        "padding": geometry.padding,
        "dilation": (rows.dilation, columns.dilation),
        "groups": geometry.groups,
        "padding_mode": geometry.padding_mode,
    }


def check_place(what: str, place: tuple[int, ...], shape: tuple[int, ...]) -> None:
    """Let through a place inside `shape`.

    >>> check_place("the output", (0, 2, 0), (1, 2, 2))
    Traceback (most recent call last):
    convlens.core.errors.ShapeError: the output is 1x2x2: it has no place 0,2,0
    the last one is 0,1,1

    Raises:
        ShapeError: it lies outside.
    """
    if len(place) == len(shape) and all(
        0 <= index < size for index, size in zip(place, shape, strict=True)
    ):
        return
    raise ShapeError(
        f"{what} is {'x'.join(map(str, shape))}: it has no place {','.join(map(str, place))}",
        fix=f"the last one is {','.join(str(size - 1) for size in shape)}",
    )
