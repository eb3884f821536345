"""Pictures: the curves of a run, and a sheet of a data set's images.

Figures are made without pyplot, so no window opens and no global state changes.
"""

import io
from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import torch
from jaxtyping import UInt8
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from torch import Tensor

from convlens.core.errors import ConfigError, RunError
from convlens.core.files import write_whole
from convlens.core.shapes import Pixels
from convlens.data.image_set import ImageSet
from convlens.runs.record import Record
from convlens.runs.store import Run

# Okabe and Ito's, which stay apart for colour-blind eyes.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7")
# The line styles are the book's.
TRAIN_LOSS, VALIDATION_LOSS, ACCURACY = zip(COLORS[:3], ("-", "--", "-."), strict=True)
DOTS_PER_INCH = 150
# The formats, and the part of each that would differ from one writing to the next.
_UNDATED = {".png": "Software", ".svg": "Date", ".pdf": "CreationDate"}


def save_curves(run: Run) -> tuple[Path, Path]:
    """Draw the curves of `run` into its folder as curves.png and curves.svg.

    Raises:
        RunError: no epoch of it has finished.
    """
    records = run.records()
    figure = draw_curves(records, title=run.name)
    return save_figure(figure, run.path / "curves")


def draw_curves(records: list[Record], *, title: str) -> Figure:
    """Training loss, validation loss and validation accuracy by epoch, on one axis.

    Raises:
        RunError: there is no finished epoch to draw.
    """
    evaluated = [record for record in records if record["event"] == "Evaluated"]
    if not any(record["event"] in {"Evaluated", "EpochFinished"} for record in records):
        raise RunError(f"{title}: no finished epoch to draw")
    steps_per_epoch = records[0]["steps_per_epoch"]
    steps = [record for record in records if record["event"] == "StepsFinished"]
    epochs = [float(record["epoch"]) for record in evaluated]
    losses, accuracies = [r["loss"] for r in evaluated], [r["accuracy"] for r in evaluated]

    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    x = [record["epoch"] - 1 + record["step"] / steps_per_epoch for record in steps]
    _line(axes, x, [record["loss"] for record in steps], TRAIN_LOSS, "training loss")
    if evaluated:
        marker = "o" if len(epochs) <= 30 else None
        label = f"validation loss, last {losses[-1]:.3f}"
        _line(axes, epochs, losses, VALIDATION_LOSS, label, marker)
        label = f"validation accuracy, last {accuracies[-1]:.2%}".replace("%", " %")
        _line(axes, epochs, accuracies, ACCURACY, label, marker)
    axes.set_xlabel("epoch")
    axes.set_xlim(0, 1.02 * records[0]["num_epochs"])
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.set_ylabel("loss (nats per image), accuracy (0 to 1)")
    axes.set_title(title)
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def contact_sheet(data: ImageSet, *, title: str, per_class: int = 10) -> Figure:
    """The first images of each class, a row per class, its name and count beside it."""
    rows: list[tuple[str, Pixels]] = []
    for index, name in enumerate(data.class_names):
        chosen = torch.nonzero(data.labels == index)[:, 0]
        rows.append((f"{name}\n{len(chosen):,}", data.images[chosen[:per_class]]))
    return image_rows(rows, title=title, per_row=per_class)


def image_rows(
    rows: Sequence[tuple[str, UInt8[Tensor, "_ c h w"]]], *, title: str, per_row: int
) -> Figure:
    """Images of one size side by side, at most `per_row`, each row with its label beside it."""
    figure = Figure(figsize=(1.6 + 0.6 * per_row, 0.5 + 0.6 * len(rows)), layout="constrained")
    figure.suptitle(title)
    axes = figure.subplots(len(rows), 1, squeeze=False)[:, 0]
    for row, (label, images) in zip(axes, rows, strict=True):
        padded = images.new_full((per_row, *images.shape[1:]), 255)
        padded[: len(images)] = images
        strip = torch.cat(list(padded.cpu()), dim=2).permute(1, 2, 0).squeeze(2)  # side by side
        row.imshow(strip.numpy(), cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        row.set_xticks([])
        row.set_yticks([])
        row.set_ylabel(label, rotation=0, ha="right", va="center")
    return figure


def save_figure(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write `figure` as PNG and as SVG beside each other."""
    png, svg = stem.with_name(stem.name + ".png"), stem.with_name(stem.name + ".svg")
    save_picture(figure, png)
    save_picture(figure, svg)
    return png, svg


def save_picture(figure: Figure, path: Path) -> None:
    """Write `figure` whole, in the format of the ending; the same bytes each time.

    Raises:
        ConfigError: an ending that names no format of pictures, or a place not to be written.
    """
    ending = path.suffix.lower()
    if ending not in _UNDATED:
        raise ConfigError(f"{path}: a picture ends in {', '.join(_UNDATED)}")
    buffer = io.BytesIO()
    with mpl.rc_context({"svg.hashsalt": "convlens"}):
        figure.savefig(
            buffer, format=ending[1:], dpi=DOTS_PER_INCH, metadata={_UNDATED[ending]: None}
        )
    write_picture(buffer.getvalue(), path)


def write_picture(data: bytes, path: Path) -> None:
    """Write the bytes of a picture, whole or not at all.

    Raises:
        ConfigError: a place that cannot be written.
    """
    try:
        write_whole(path, lambda stream: stream.write(data))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(f"{path}: cannot be written: {reason}") from None


def _line(
    axes: Axes,
    x: list[float],
    y: list[float],
    style: tuple[str, str],
    label: str,
    marker: str | None = None,
) -> None:
    color, line = style
    axes.plot(x, y, color=color, linestyle=line, marker=marker, markersize=4, label=label)
