"""Comparison: networks beside each other, what they can do against what they cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, LogLocator, PercentFormatter

from convlens.core.errors import ConfigError
from convlens.report.figures import COLORS

FONT_SIZE = 9  # of the labels, points
POINT, GAP = 4.0, 6.0  # half a point's side; from a point's middle to its label; in points


@dataclass(frozen=True, kw_only=True, slots=True)
class ComparisonRow:
    """One network of a comparison."""

    name: str
    macs: int  # per image
    num_parameters: int
    accuracy: float | None = None  # in [0, 1]; None where it is not known

    def __post_init__(self) -> None:
        if min(self.macs, self.num_parameters) < 1:
            raise ConfigError(
                f"{self.name}: {self.macs} MACs and {self.num_parameters} parameters have no "
                "place on a logarithmic axis"
            )
        if self.accuracy is not None and not 0 <= self.accuracy <= 1:
            raise ConfigError(f"{self.name}: accuracy should be in [0, 1], not {self.accuracy}")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle on paper, its middle and its sides."""

    x: float
    y: float
    width: float
    height: float

    def overlap(self, other: "Box") -> float:
        """The area that both cover.

        >>> Box(0.0, 0.0, 4.0, 2.0).overlap(Box(3.0, 1.0, 4.0, 2.0))
        1.0
        """
        across = (self.width + other.width) / 2 - abs(self.x - other.x)
        along = (self.height + other.height) / 2 - abs(self.y - other.y)
        across = min(across, self.width, other.width)
        along = min(along, self.height, other.height)
        return max(across, 0.0) * max(along, 0.0)


def draw_comparison(rows: Sequence[ComparisonRow], *, title: str) -> Figure:
    """Accuracy against MACs, a labelled point for each row; MACs are on a logarithmic axis.

    Where a row has no accuracy, parameters are drawn instead, and the axis says so.

    Raises:
        ConfigError: there is no row.
    """
    if not rows:
        raise ConfigError(f"{title}: no network to compare")
    figure = Figure(figsize=(7, 4.8), layout="constrained")
    axes = figure.add_subplot()
    known = [row.accuracy for row in rows if row.accuracy is not None]
    if len(known) == len(rows):
        y = known
        axes.yaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=""))
        axes.set_ylabel("accuracy (%)")
    else:
        y = [float(row.num_parameters) for row in rows]
        reason = f" (accuracy is known of {len(known)} of {len(rows)})" if known else ""
        axes.set_yscale("log")
        _count_in_powers(axes, "y", y)
        axes.set_ylabel(f"number of parameters{reason}")
    x = [float(row.macs) for row in rows]
    axes.set_xscale("log")
    _count_in_powers(axes, "x", x)
    axes.set_xlabel("multiply-accumulates per image (MACs)")
    axes.margins(0.1)
    axes.scatter(x, y, s=(2 * POINT) ** 2, color=COLORS[0], zorder=3)
    axes.set_title(title)
    axes.grid(alpha=0.3)
    _label(figure, axes, [row.name for row in rows], list(zip(x, y, strict=True)))
    return figure


def arrange(points: Sequence[tuple[float, float]], sizes: Sequence[Box], area: Box) -> list[Box]:
    """A box of the size of each of `sizes` beside each point, clear of points and of each other.

    The nearest free place is taken, the most crowded point choosing first; where none is free,
    that which covers least.

    >>> arrange([(50.0, 50.0)], [Box(0.0, 0.0, 20.0, 10.0)], Box(50.0, 50.0, 100.0, 100.0))
    [Box(x=66.0, y=50.0, width=20.0, height=10.0)]
    """
    dots = [Box(x, y, 2 * POINT, 2 * POINT) for x, y in points]
    placed: dict[int, Box] = {}

    def crowd(index: int) -> float:
        return sum(1 / (1 + math.dist(points[index], other)) for other in points)

    def cost(box: Box) -> float:
        outside = box.width * box.height - box.overlap(area)
        return outside + sum(box.overlap(other) for other in (*dots, *placed.values()))

    for index in sorted(range(len(points)), key=crowd, reverse=True):
        places = _places(points[index], sizes[index])
        placed[index] = min(places, key=lambda box: round(cost(box), 6))  # the first of equals
    return [placed[index] for index in range(len(points))]


def _places(point: tuple[float, float], size: Box) -> list[Box]:
    """Where a label may be, the best places first: right, left, above, below, aslant, further."""
    x, y = point
    sides = sorted(product((1, -1, 0), repeat=2), key=lambda side: (side[0] == 0, side[1] != 0))
    places: list[Box] = []
    for ring in range(6):
        gap = GAP + ring * size.height
        for across, along in sides:
            if across or along:
                slant = 0.7 if across and along else 1.0
                places.append(
                    Box(
                        x + across * (gap * slant + size.width / 2),
                        y + along * (gap * slant + size.height / 2),
                        size.width,
                        size.height,
                    )
                )
    return places


def _label(
    figure: Figure, axes: Axes, names: Sequence[str], values: Sequence[tuple[float, float]]
) -> None:
    """Write each name beside its point; a thin line leads to a name that is further off."""
    scale = 72 / figure.dpi  # from pixels to points
    sizes: list[Box] = []
    for name in names:  # drawn to be measured
        text = axes.text(0.5, 0.5, name, fontsize=FONT_SIZE, transform=axes.transAxes)
        extent = text.get_window_extent()
        sizes.append(Box(0.0, 0.0, extent.width * scale + 4, extent.height * scale + 2))
        text.remove()
    figure.draw_without_rendering()  # now the axes are where they will be
    pixels = axes.transData.transform(values)
    points = [(float(x) * scale, float(y) * scale) for x, y in pixels]
    frame = axes.get_window_extent()
    area = Box(
        (frame.x0 + frame.x1) / 2 * scale,
        (frame.y0 + frame.y1) / 2 * scale,
        frame.width * scale,
        frame.height * scale,
    )
    boxes = arrange(points, sizes, area)
    for name, value, (x, y), box in zip(names, values, points, boxes, strict=True):
        far = max(abs(box.x - x) - box.width / 2, abs(box.y - y) - box.height / 2) > GAP + 1
        line = {"arrowstyle": "-", "color": "0.5", "linewidth": 0.7, "shrinkA": 0, "shrinkB": POINT}
        note = axes.annotate(
            name,
            value,
            (box.x - x, box.y - y),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=FONT_SIZE,
            arrowprops=line if far else None,
            zorder=4,
        )
        note.set_in_layout(False)  # what is arranged stays where it is


def _count_in_powers(axes: Axes, which: str, values: Sequence[float]) -> None:
    """Ticks of a logarithmic axis as 1 k, 1 M, 1 G, with steps between where it is short."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    decades = math.log10(max(values) / min(values))
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if decades < 2.5 else (1,)))
    axis.set_major_formatter(EngFormatter())
    axis.set_minor_formatter("")
