"""Curves: every run of every side is drawn, as it was recorded."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.lines import Line2D

from convlens.core.errors import RunError
from convlens.report.runs.curves import draw_overlaid, epochs_of
from convlens.report.runs.sides import group
from tests.report.runs.folders import make_run


def points(line: Line2D) -> list[list[float]]:
    return np.asarray(line.get_xydata()).tolist()


def test_an_epoch_is_its_training_and_its_validation(tmp_path: Path) -> None:
    first, second = epochs_of(make_run(tmp_path, "lenet-1"))
    assert (first["epoch"], second["epoch"]) == (1, 2)
    assert second["train_loss"] == 0.5
    assert second["validation_loss"] == 0.75
    assert second["validation_accuracy"] == 0.75
    assert epochs_of(make_run(tmp_path, "lenet-2", epochs=0)) == []


def test_every_run_is_drawn_in_the_colour_of_its_side(tmp_path: Path) -> None:
    sides = group(
        [
            make_run(tmp_path, "lenet-1"),
            make_run(tmp_path, "lenet-2", lr=0.5, epochs=3),
            make_run(tmp_path, "lenet-3", seed=1),
            make_run(tmp_path, "lenet-4", lr=0.7, epochs=0),  # nothing of it to draw
        ]
    )
    losses, accuracy = draw_overlaid(sides).axes
    assert len(losses.lines) == 6
    one, other, third = accuracy.lines  # A, A, B
    assert one.get_color() == other.get_color() != third.get_color()
    assert points(one) == [[1, 0.5], [2, 0.75]]
    assert points(losses.lines[0]) == [[1, 1.0], [2, 0.5]]
    assert points(losses.lines[1]) == [[1, 1.5], [2, 0.75]]
    legend = accuracy.get_legend()
    assert legend is not None
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels == ["A: 2 runs as lenet-1", "B: lenet-2"]


def test_more_sides_than_colours_are_told_apart_by_their_lines(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, f"lenet-{number}", lr=0.1 * number) for number in range(1, 10)]
    _, accuracy = draw_overlaid(group(runs)).axes
    looks = {(line.get_color(), line.get_linestyle()) for line in accuracy.lines}
    assert len(looks) == 9


def test_runs_without_an_epoch_have_no_curves(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="lenet-1: no finished epoch"):
        draw_overlaid(group([make_run(tmp_path, "lenet-1", epochs=0)]))
