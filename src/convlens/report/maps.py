"""Maps: small images and what was made of them, side by side, a number in every cell."""

from collections.abc import Sequence

from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from convlens.core.errors import ConfigError

LARGEST = 12  # cells of a side whose numbers can be read


def draw_maps(maps: Sequence[tuple[str, Float[Tensor, "_ _"]]], *, columns: int = 4) -> Figure:
    """Each map under its title: 0 is white, plus is violet, minus is orange.

    Raises:
        ConfigError: no map, or one whose numbers would be too small to read.
    """
    if not maps:
        raise ConfigError("no map to draw")
    for title, values in maps:
        if max(values.shape) > LARGEST:
            height, width = values.shape
            raise ConfigError(f"{title}: {height}x{width} numbers cannot be read; {LARGEST} can")
    columns = min(columns, len(maps))
    rows = -(-len(maps) // columns)
    figure = Figure(figsize=(2.4 * columns, 2.3 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes, (title, values) in zip(panels, maps, strict=False):
        _draw(axes, title, values)
    for axes in panels[len(maps) :]:
        axes.set_axis_off()
    return figure


def _draw(axes: Axes, title: str, values: Tensor) -> None:
    greatest = max(float(values.abs().max()), 1e-12)
    axes.imshow(values.numpy(), cmap="PuOr", vmin=-1.6 * greatest, vmax=1.6 * greatest)
    for row, numbers in enumerate(values.tolist()):
        for column, number in enumerate(numbers):
            axes.text(column, row, f"{number:g}", ha="center", va="center", fontsize=7)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.set_title(title, fontsize=9)
