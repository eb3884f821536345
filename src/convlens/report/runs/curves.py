"""Curves: several trainings in one picture, a colour for each side."""

from collections.abc import Sequence
from typing import Any, Literal

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, PercentFormatter

from convlens.core.errors import RunError
from convlens.report.figures import COLORS
from convlens.report.runs.sides import Side
from convlens.runs.store import Run

Style = Literal["-", "--", ":", "-."]
TRAINING: Style = "-"
VALIDATION: Style = "--"
BEYOND: tuple[Style, ...] = (
    "-",
    ":",
    "-.",
)  # of the accuracy: colours again, where there are more sides than colours


def epochs_of(run: Run) -> list[dict[str, Any]]:
    """One row per finished epoch, from the events of its training and its validation.

    Raises:
        RunError: metrics.jsonl is damaged.
    """
    evaluated: dict[int, dict[str, Any]] = {}
    epochs: list[dict[str, Any]] = []
    for record in run.records():
        if record["event"] == "Evaluated":
            evaluated[record["epoch"]] = record
        if record["event"] == "EpochFinished":
            validation = evaluated.get(record["epoch"], {})  # empty: there was none
            epochs.append(
                {
                    "epoch": record["epoch"],
                    "train_loss": record["loss"],
                    "validation_loss": validation.get("loss"),
                    "validation_accuracy": validation.get("accuracy"),
                    "seconds": record["seconds"],
                    "images_per_second": record["images_per_second"],
                }
            )
    return epochs


def draw_overlaid(sides: Sequence[Side]) -> Figure:
    """Losses by epoch on the left, validation accuracy on the right, of all runs.

    Raises:
        RunError: no run has finished an epoch.
    """
    figure = Figure(figsize=(9.5, 4), layout="constrained")
    losses, accuracy = figure.subplots(1, 2)
    handles: list[Line2D] = []
    for index, side in enumerate(sides):
        color = COLORS[index % len(COLORS)]
        style = BEYOND[index // len(COLORS) % len(BEYOND)]
        drawn = [rows for entry in side.entries if (rows := epochs_of(entry.run))]
        for rows in drawn:
            _line(losses, rows, "train_loss", color, TRAINING)
            _line(losses, rows, "validation_loss", color, VALIDATION)
            _line(accuracy, rows, "validation_accuracy", color, style)
        if drawn:
            handles.append(Line2D([], [], color=color, linestyle=style, label=_label(side)))
    if not handles:
        names = ", ".join(side.runs for side in sides)
        raise RunError(f"{names}: no finished epoch to draw")
    losses.legend(
        handles=[
            Line2D([], [], color="0.3", linestyle=TRAINING, label="training"),
            Line2D([], [], color="0.3", linestyle=VALIDATION, label="validation"),
        ]
    )
    accuracy.legend(handles=handles)
    losses.set_ylim(bottom=0)
    losses.set_ylabel("loss (nats per image)")
    accuracy.set_ylabel("validation accuracy (%)")
    accuracy.yaxis.set_major_formatter(PercentFormatter(xmax=1, symbol=""))
    for axes in (losses, accuracy):
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(alpha=0.3)
    return figure


def _label(side: Side) -> str:
    count = len(side.entries)
    runs = side.entries[0].run.name if count == 1 else f"{count} runs as {side.entries[0].run.name}"
    return f"{side.name}: {runs}".replace("$", r"\$")  # else a formula to matplotlib


def _line(axes: Axes, rows: list[dict[str, Any]], key: str, color: str, style: Style) -> None:
    rows = [row for row in rows if row[key] is not None]
    marker = "o" if len(rows) <= 30 else None
    axes.plot(
        [row["epoch"] for row in rows],
        [row[key] for row in rows],
        color=color,
        linestyle=style,
        linewidth=1.2,
        marker=marker,
        markersize=3,
    )
