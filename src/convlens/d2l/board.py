"""The board: curves that grow while a network trains.

Source: d2l 3.2, https://d2l.ai/chapter_linear-regression/oo-design.html.
Differs from d2l: a curve is one line, redrawn; nothing is printed; outside a notebook the board
draws when it is asked to `save`; the labels may be more than four, and points may have weights.
"""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, final

import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from torch import Tensor

from convlens.d2l.drawing import notebook
from convlens.report.figures import save_picture

Number = float | int | np.number[Any]


class Point(NamedTuple):
    """A point of a curve."""

    x: float
    y: float


@final
class ProgressBoard:
    """Curves by their labels, each point the mean of `every_n` points drawn."""

    def __init__(  # noqa: PLR0913, PLR0917 - the book's parameters
        self,
        xlabel: str | None = None,
        ylabel: str | None = None,
        xlim: Any = None,
        ylim: Any = None,
        xscale: str = "linear",
        yscale: str = "linear",
        ls: Sequence[str] = ("-", "--", "-.", ":"),
        colors: Sequence[str] = ("C0", "C1", "C2", "C3"),
        fig: Figure | None = None,
        axes: Any = None,
        figsize: tuple[float | int, float | int] = (3.5, 2.5),
        display: bool = True,
    ) -> None:
        self.xlabel, self.ylabel, self.xlim, self.ylim = xlabel, ylabel, xlim, ylim
        self.xscale, self.yscale, self.ls, self.colors = xscale, yscale, ls, colors
        self.fig, self.axes, self.figsize, self.display = fig, axes, figsize, display
        self.data: dict[str, list[Point]] = {}
        self._waiting: dict[str, list[tuple[Number, Tensor | Number, Number]]] = {}
        self._lines: dict[str, Line2D] = {}
        self._shown: Any = None  # the notebook's handle of the picture

    def draw(
        self, x: Number, y: Tensor | Number, label: str, every_n: int = 1, *, weight: Number = 1
    ) -> None:
        """Add a point to the curve `label`; with `every_n`, the mean of so many points.

        Tensors stay on their device until their mean is needed. `weight` is a point's share in
        that mean, such as the images of its batch.
        """
        points = self._waiting.setdefault(label, [])
        curve = self.data.setdefault(label, [])
        points.append((x, y.detach() if isinstance(y, Tensor) else y, weight))
        if len(points) < max(1, every_n):
            return
        xs, ys, weights = zip(*points, strict=True)
        curve.append(Point(sum(xs) / len(xs), mean(ys, weights)))
        points.clear()
        display = notebook() if self.display else None
        if display is not None:
            self._show(display)
        elif self.axes is not None:
            self.redraw()

    def redraw(self) -> Figure:
        """The figure with all curves as they are now."""
        if self.axes is None:
            if self.fig is None:
                self.fig = Figure(figsize=self.figsize, layout="constrained")
            self.axes = self.fig.gca()
        axes = self.axes
        for index, (label, points) in enumerate(self.data.items()):
            if label not in self._lines:
                style = self.ls[index % len(self.ls)], self.colors[index % len(self.colors)]
                (self._lines[label],) = axes.plot(
                    [], [], label=label, linestyle=style[0], color=style[1]
                )
            self._lines[label].set_data([p.x for p in points], [p.y for p in points])
        axes.set(xlabel=self.xlabel or "x", ylabel=self.ylabel or "")
        axes.set(xscale=self.xscale, yscale=self.yscale)
        axes.relim()
        axes.autoscale()
        if self.xlim:
            axes.set_xlim(self.xlim)
        if self.ylim:
            axes.set_ylim(self.ylim)
        if self._lines:
            axes.legend()
        figure: Any = axes.figure
        return figure

    def save(self, path: str | Path) -> Path:
        """Write the picture to `path`, in the format of its ending.

        Raises:
            ConfigError: an ending that names no format of pictures, or a place not to be written.
        """
        place = Path(path)
        save_picture(self.redraw(), place)
        return place

    def _show(self, display: Any) -> None:
        buffer = io.BytesIO()
        self.redraw().savefig(buffer, format="svg")
        picture = display.SVG(data=buffer.getvalue().decode())
        if self._shown is None:
            self._shown = display.display(picture, display_id=True)
        else:
            self._shown.update(picture)


def mean(values: Sequence[Tensor | Number], weights: Sequence[Number]) -> float:
    """`sum of w v / sum of w` in float64; tensors are fetched from their device at once.

    >>> mean([torch.tensor(1.0), 4.0], [1, 3])
    3.25
    """
    tensors = [value for value in values if isinstance(value, Tensor)]
    scalars = torch.stack([t.float().reshape(()) for t in tensors]).tolist() if tensors else []
    fetched = iter(scalars)
    numbers = [next(fetched) if isinstance(v, Tensor) else float(v) for v in values]
    return sum(v * w for v, w in zip(numbers, weights, strict=True)) / sum(weights)
