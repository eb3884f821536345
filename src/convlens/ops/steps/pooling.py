"""Pooling: which cell of a window wins, or what the mean is over, number by number.

>>> import torch
>>> pooling = Pooling(torch.arange(9.0).reshape(1, 3, 3), PoolGeometry.of(2, stride=1), "max")
>>> step = pooling.step((0, 0, 1))
>>> [pixel.value for pixel in step.pixels], step.winner, step.result
([1.0, 2.0, 4.0, 5.0], 3, 5.0)

Source: d2l 7.5.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product as combinations
from typing import Any

from jaxtyping import Float
from torch import Tensor

from convlens.core.errors import ConfigError
from convlens.ops.checks import check_pool
from convlens.ops.geometry import PoolGeometry, Reduce
from convlens.ops.gradient import avg_pool2d_backward, max_pool2d_backward
from convlens.ops.pooling import avg_pool2d, max_pool2d
from convlens.ops.steps.forward import check_place
from convlens.ops.steps.records import Cell, GradientStep, Pixel, PoolStep, Share


@dataclass(frozen=True, slots=True, eq=False)
class Pooling:
    """A pooling whose every number can be asked for.

    Raises:
        ShapeError: the window does not fit.
        ConfigError: an average with holes, which no average pooling has.
    """

    x: Float[Tensor, "c h w"]
    geometry: PoolGeometry
    reduce: Reduce

    def __post_init__(self) -> None:
        check_pool(self.x[None], self.geometry)
        if self.reduce == "avg" and max(self._both("dilation")) > 1:
            raise ConfigError("dilation: average pooling has none; use --pool max")

    def output(self) -> Float[Tensor, "c oh ow"]:
        """The whole output, by `max_pool2d` or `avg_pool2d`."""
        run = max_pool2d if self.reduce == "max" else avg_pool2d
        return run(self.x[None], **self.keywords())[0]

    def output_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the output."""
        return (self.x.shape[0], *self.geometry.output_size(*self.x.shape[1:]))

    def cells(self) -> Iterator[Cell]:
        """Every place of the output, in reading order, channel after channel."""
        channels, height, width = self.output_shape()
        return combinations(range(channels), range(height), range(width))

    def pixel(self, channel: int, row: int, column: int) -> Pixel:
        """What the window finds; padding holds nothing for a maximum and 0 for a mean."""
        if 0 <= row < self.x.shape[1] and 0 <= column < self.x.shape[2]:
            value = self.x[channel, row, column].item()
            return Pixel(channel, row, column, (row, column), value)
        return Pixel(channel, row, column, None, None if self.reduce == "max" else 0.0)

    def step(self, cell: Cell) -> PoolStep:
        """How the number at `cell` of the output comes about.

        Raises:
            ShapeError: there is no such place.
        """
        check_place("the output", cell, self.output_shape())
        channel, i, j = cell
        pixels = tuple(
            self.pixel(channel, row, column)
            for row in self.geometry.rows.taps(i)
            for column in self.geometry.columns.taps(j)
        )
        values = [pixel.value for pixel in pixels]
        if self.reduce == "max":
            winner = first_greatest(values)
            result = -math.inf if winner is None else values[winner]
            assert result is not None
            return PoolStep(cell, pixels, winner, None, None, result)
        rows, columns = self.geometry.cells(*self.x.shape[1:])
        total, divisor = sum((value or 0.0 for value in values), start=0.0), rows[i] * columns[j]
        return PoolStep(cell, pixels, None, total, divisor, total / divisor)

    def view(self, steps: tuple[PoolStep, ...]) -> Mapping[str, Any]:
        """Everything that a picture of these steps needs, as `plain` can take it."""
        return {
            "operation": f"{self.reduce}_pool2d",
            "settings": self.keywords(),
            "input": self.x.tolist(),
            "output": self.output().tolist(),
            "steps": steps,
        }

    def _both(self, setting: str) -> tuple[int, int]:
        return getattr(self.geometry.rows, setting), getattr(self.geometry.columns, setting)

    def keywords(self) -> dict[str, Any]:
        """The settings, as `max_pool2d` or `avg_pool2d` takes them."""
        own: dict[str, Any] = (
            {"dilation": self._both("dilation")}
            if self.reduce == "max"
            else {"count_include_pad": self.geometry.count_include_pad}
        )
        return {
            "kernel_size": self._both("kernel"),
            "stride": self._both("stride"),
            "padding": self._both("padding"),
            "ceil_mode": self.geometry.ceil_mode,
            **own,
        }


@dataclass(frozen=True, slots=True, eq=False)
class PoolingBackward:
    """A pooling and the slope of the loss by its output.

    >>> import torch
    >>> pooling = Pooling(torch.arange(4.0).reshape(1, 2, 2), PoolGeometry.of(2), "avg")
    >>> PoolingBackward(pooling, torch.ones(1, 1, 1)).input_step((0, 1, 1)).sum
    0.25

    Raises:
        ShapeError: `grad_y` has not the output's shape.
    """

    forward: Pooling
    grad_y: Float[Tensor, "c oh ow"]

    def __post_init__(self) -> None:
        self.gradient()  # refuses a wrong shape

    def gradient(self) -> Float[Tensor, "c h w"]:
        """`dL/dx` as a whole, by the backward passes of `ops/gradient.py`."""
        run = max_pool2d_backward if self.forward.reduce == "max" else avg_pool2d_backward
        return run(self.grad_y[None], self.forward.x[None], **self.forward.keywords())[0]

    def cells(self) -> Iterator[Cell]:
        """Every place of the input."""
        channels, height, width = self.forward.x.shape
        return combinations(range(channels), range(height), range(width))

    def input_step(self, cell: Cell) -> GradientStep:
        """`dL/dx` at `cell`: from each window that sees it, its slope times the cell's share.

        Raises:
            ShapeError: the input has no such place.
        """
        forward = self.forward
        check_place("the input", cell, tuple(forward.x.shape))
        channel, row, column = cell
        _, height, width = forward.output_shape()
        rows = [i for i in range(height) if row in forward.geometry.rows.taps(i)]
        columns = [j for j in range(width) if column in forward.geometry.columns.taps(j)]
        shares: list[Share] = []
        for i, j in combinations(rows, columns):
            step = forward.step((channel, i, j))
            if step.divisor is not None:
                factor = 1 / step.divisor
            else:
                won = step.winner is not None and step.pixels[step.winner].source
                factor = 1.0 if won == (row, column) else 0.0
            slope: float = self.grad_y[channel, i, j].item()
            pixel = forward.pixel(channel, row, column)
            shares.append(Share((channel, i, j), slope, pixel, None, factor, slope * factor))
        total = sum((share.product for share in shares), start=0.0)
        return GradientStep("x", cell, tuple(shares), total)

    def view(self, steps: tuple[GradientStep, ...]) -> Mapping[str, Any]:
        """Everything that a picture of these steps needs, as `plain` can take it."""
        return {
            **self.forward.view(()),
            "grad_output": self.grad_y.tolist(),
            "grad_input": self.gradient().tolist(),
            "steps": steps,
        }


def first_greatest(values: Sequence[float | None]) -> int | None:
    """The index of the first of the greatest values; NaN counts as greater than all.

    >>> first_greatest([None, 1.0, 3.0, 3.0]), first_greatest([None])
    (2, None)
    """
    best: int | None = None
    for index, value in enumerate(values):
        if value is None:
            continue
        held = None if best is None else values[best]
        if held is None or value > held or (math.isnan(value) and not math.isnan(held)):
            best = index
    return best
