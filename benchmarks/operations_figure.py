"""The picture of the benchmark `operations`: milliseconds per call, a panel per geometry."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from benchmarks.measure import spread

FORWARD, TRAINING = "forward", "forward+backward"
PASSES = (FORWARD, TRAINING)
COLUMNS = 3
# Okabe and Ito's colours, which stay apart for colour-blind eyes; the shapes differ as well.
_STYLES = {FORWARD: ("#0072B2", "o", -0.17), TRAINING: ("#D55E00", "D", 0.17)}


def draw(
    panels: Mapping[str, Mapping[str, Mapping[str, Sequence[float]]]],
    contestants: Sequence[str],
    *,
    title: str,
) -> Figure:
    """Median and extremes of each contestant; `panels` has milliseconds by title, pass and name."""
    num_rows = -(-(len(panels) + 1) // COLUMNS)  # one place for the legend
    figure = Figure(figsize=(11.5, 3.6 * num_rows), layout="constrained")
    figure.suptitle(title)
    places = figure.subplots(num_rows, COLUMNS, sharex=True, sharey=True, squeeze=False).flatten()
    for axes, (panel, passes) in zip(places, panels.items(), strict=False):
        _panel(axes, panel, passes, contestants)
    for index, axes in enumerate(places[: len(panels)]):
        if index + COLUMNS >= len(panels):  # nothing measured stands below it
            axes.tick_params(labelbottom=True)
            axes.set_xlabel("milliseconds per call")
    for axes in places[len(panels) :]:
        axes.set_axis_off()
    handles = [
        Line2D([], [], color=color, marker=marker, label=f"{part}: median, min to max")
        for part, (color, marker, _) in _STYLES.items()
    ]
    handles.append(Line2D([], [], color="0.35", linestyle=":", label="native, forward"))
    places[-1].legend(handles=handles, loc="center", frameon=False)
    return figure


def _panel(
    axes: Axes,
    title: str,
    passes: Mapping[str, Mapping[str, Sequence[float]]],
    contestants: Sequence[str],
) -> None:
    axes.set_xscale("log")
    for part, (color, marker, shift) in _STYLES.items():
        for name, values in passes[part].items():
            told, y = spread(values), contestants.index(name) + shift
            axes.plot([told.low, told.high], [y, y], color=color, linewidth=1.5)
            axes.plot(told.median, y, color=color, marker=marker, markersize=5)
    for y, name in enumerate(contestants):
        if name not in passes[FORWARD]:
            place = axes.get_yaxis_transform()  # x is a share of the panel's width
            told = axes.text(0.03, y, "cannot", transform=place, va="center", color="0.35")
            told.set(style="italic", fontsize=8, zorder=3)
            told.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 1})
    if "native" in passes[FORWARD]:
        axes.axvline(spread(passes[FORWARD]["native"]).median, color="0.35", linestyle=":")
    axes.set_yticks(range(len(contestants)), contestants)
    axes.set_ylim(len(contestants) - 0.5, -0.5)  # the first on top
    axes.xaxis.set_major_locator(LogLocator(numticks=12))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="x", labelsize=8)
    axes.grid(axis="x", alpha=0.3)
    axes.set_title(title, fontsize=9)
