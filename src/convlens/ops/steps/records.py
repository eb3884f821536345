"""Records: the plain numbers behind one step, for the terminal, for JSON and for a page.

`plain` turns any of them into dicts, lists, numbers and strings.

>>> plain(Pixel(channel=0, row=-1, column=2, source=None, value=0.0))
{'channel': 0, 'row': -1, 'column': 2, 'source': None, 'value': 0.0, 'padding': True}
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import Any, Literal

Cell = tuple[int, int, int]  # channel, row, column
Entry = tuple[int, int, int, int]  # out channel, channel of its group, row, column
Cube = tuple[tuple[tuple[float, ...], ...], ...]  # channels of rows of numbers


@dataclass(frozen=True, slots=True)
class Pixel:
    """A place of the input that a window looks at, and what it finds there."""

    channel: int
    row: int  # may lie outside the input: then it is padding
    column: int
    source: tuple[int, int] | None  # the row and column that the value is read from; None: nowhere
    value: float | None  # None: nothing, as max pooling's padding

    @property
    def padding(self) -> bool:
        """Whether it lies outside the input.

        >>> Pixel(0, -1, 0, (1, 0), 5.0).padding
        True
        """
        return self.source != (self.row, self.column)


@dataclass(frozen=True, slots=True)
class Product:
    """A pixel times the kernel entry that meets it."""

    pixel: Pixel
    entry: Entry
    weight: float  # the kernel's number at `entry`
    product: float


@dataclass(frozen=True, slots=True)
class CorrelationStep:
    """One number of the output: the products, the bias and their sum."""

    cell: Cell  # place in the output
    group: int
    products: tuple[Product, ...]
    bias: float
    sum: float  # of the products and the bias


@dataclass(frozen=True, slots=True)
class PoolStep:
    """One number of a pooled image: the cells, and which won or what their mean is."""

    cell: Cell
    pixels: tuple[Pixel, ...]
    winner: int | None  # index of the greatest pixel; None for a mean
    sum: float | None  # of the pixels; None for a maximum
    divisor: int | None  # how many cells the mean is over; None for a maximum
    result: float


@dataclass(frozen=True, slots=True)
class Share:
    """What one output contributes to a gradient: its slope times what it was multiplied by."""

    output: Cell
    slope: float  # dL/dy at `output`
    pixel: Pixel  # where that output's window met it
    entry: Entry | None  # the kernel entry that met it; None in pooling
    factor: float  # dy at `output` by the number in question
    product: float


@dataclass(frozen=True, slots=True)
class GradientStep:
    """One number of a gradient: the shares that sum to it."""

    of: Literal["x", "kernel"]
    at: Cell | Entry  # place in the input, or in the kernel
    shares: tuple[Share, ...]
    sum: float


def plain(content: Any) -> Any:
    """Records as what JSON can hold; numbers that are not finite become strings.

    >>> plain((1.5, float("inf"), float("nan")))
    [1.5, 'Infinity', 'NaN']
    """
    if is_dataclass(content) and not isinstance(content, type):
        found = {field.name: plain(getattr(content, field.name)) for field in fields(content)}
        return {**found, "padding": content.padding} if isinstance(content, Pixel) else found
    if isinstance(content, Mapping):
        return {str(key): plain(value) for key, value in content.items()}
    if isinstance(content, Sequence) and not isinstance(content, str):
        return [plain(part) for part in content]
    if isinstance(content, float) and not math.isfinite(content):
        return "NaN" if math.isnan(content) else "Infinity" if content > 0 else "-Infinity"
    return content
