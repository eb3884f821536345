"""Pictures by the book's names: matplotlib's settings, curves, rows of images.

Source: d2l 2.4 (plot) and 3.5 (show_images), https://d2l.ai/chapter_preliminaries/calculus.html.
Differs from d2l: one image alone can be shown, and grey images are grey.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from torch import Tensor


def notebook() -> Any:
    """The module `IPython.display` inside a notebook, else None."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return import_module("IPython.display") if hasattr(shell, "kernel") else None


def use_svg_display() -> None:
    """Show the pictures of a notebook as SVG; elsewhere nothing changes."""
    if notebook() is not None:
        import_module("matplotlib_inline.backend_inline").set_matplotlib_formats("svg")


def set_figsize(figsize: tuple[float | int, float | int] = (3.5, 2.5)) -> None:
    """Make new figures this wide and high, in inches."""
    use_svg_display()
    plt.rcParams["figure.figsize"] = figsize


def set_axes(
    axes: Axes,
    xlabel: str | None,
    ylabel: str | None,
    xlim: Any,
    ylim: Any,
    xscale: str,
    yscale: str,
    legend: Sequence[str] | None,
) -> None:
    """Label, scale and limit `axes`, with a grid."""
    axes.set(xlabel=xlabel or "", ylabel=ylabel or "", xscale=xscale, yscale=yscale)
    if xlim is not None:
        axes.set_xlim(xlim)
    if ylim is not None:
        axes.set_ylim(ylim)
    if legend:
        axes.legend(legend)
    axes.grid()


def plot(  # noqa: PLR0913, PLR0917 - the book's parameters
    X: Any,  # noqa: N803 - the book's names
    Y: Any = None,  # noqa: N803
    xlabel: str | None = None,
    ylabel: str | None = None,
    legend: Sequence[str] = (),
    xlim: Any = None,
    ylim: Any = None,
    xscale: str = "linear",
    yscale: str = "linear",
    fmts: Sequence[str] = ("-", "m--", "g-.", "r:"),
    figsize: tuple[float | int, float | int] = (3.5, 2.5),
    axes: Axes | None = None,
) -> None:
    """Draw the curves `Y` over `X`, or the curves `X` over their positions, on clean axes."""
    curves = _curves(X if Y is None else Y)
    places = [None] * len(curves) if Y is None else _curves(X)
    if len(places) == 1:
        places = places * len(curves)
    set_figsize(figsize)
    axes = plt.gca() if axes is None else axes
    axes.cla()
    for index, (x, y) in enumerate(zip(places, curves, strict=True)):
        style = fmts[index % len(fmts)]
        axes.plot(*([y] if x is None else [x, y]), style)
    set_axes(axes, xlabel, ylabel, xlim, ylim, xscale, yscale, legend)


def _curves(numbers: Any) -> list[Any]:
    """Each curve an array, whether one was given or a sequence of them."""
    if isinstance(numbers, Tensor):
        numbers = array_of(numbers)
    one = len(numbers) == 0 or not hasattr(numbers[0], "__len__") or np.ndim(numbers[0]) == 0
    return [array_of(curve) for curve in ([numbers] if one else numbers)]


def array_of(numbers: Any) -> npt.NDArray[Any]:
    """A tensor on any device, or anything NumPy takes, as an array."""
    if isinstance(numbers, Tensor):
        return numbers.detach().cpu().numpy()
    return np.asarray(numbers)


def show_images(
    imgs: Any,
    num_rows: int,
    num_cols: int,
    titles: Sequence[str] | None = None,
    scale: float | int = 1.5,
) -> npt.NDArray[Any]:
    """A grid of images with their titles; gives its axes, as many as there are places."""
    _, grid = plt.subplots(
        num_rows, num_cols, figsize=(num_cols * scale, num_rows * scale), squeeze=False
    )
    places = grid.flatten()
    for place in places:
        place.set_axis_off()
    for index, (place, image) in enumerate(zip(places, imgs, strict=False)):
        pixels = array_of(image)
        if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.shape[2] not in (1, 3):
            pixels = pixels.transpose(1, 2, 0)
        place.imshow(pixels, cmap="gray")
        if titles is not None and index < len(titles):
            place.set_title(titles[index])
    return places
