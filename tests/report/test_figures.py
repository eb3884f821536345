"""Pictures: what is drawn is what was recorded, and files are whole and repeatable."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.lines import Line2D
from PIL import Image

from convlens.core.errors import ConfigError, RunError
from convlens.data.image_set import DataSet
from convlens.report.figures import contact_sheet, draw_curves, save_figure, save_picture

RECORDS: list[dict[str, Any]] = [
    {"event": "FitStarted", "num_epochs": 2, "steps_per_epoch": 4},
    {"event": "StepsFinished", "epoch": 1, "step": 2, "loss": 2.0},
    {"event": "StepsFinished", "epoch": 1, "step": 4, "loss": 1.5},
    {"event": "Evaluated", "epoch": 1, "loss": 1.4, "accuracy": 0.5},
    {"event": "StepsFinished", "epoch": 2, "step": 4, "loss": 1.0},
    {"event": "Evaluated", "epoch": 2, "loss": 1.1, "accuracy": 0.625},
]


def points(line: Line2D) -> list[list[float]]:
    return np.asarray(line.get_xydata()).tolist()


def test_the_curves_are_the_records() -> None:
    (axes,) = draw_curves(RECORDS, title="lenet-1").axes
    train, validation, accuracy = axes.lines
    assert points(train) == [[0.5, 2.0], [1.0, 1.5], [2.0, 1.0]]
    assert points(validation) == [[1, 1.4], [2, 1.1]]
    assert points(accuracy) == [[1, 0.5], [2, 0.625]]
    assert axes.get_title() == "lenet-1"
    assert "62.50 %" in str(accuracy.get_label())
    assert axes.get_xlabel() == "epoch"


def test_a_run_without_a_finished_epoch_has_no_curves() -> None:
    with pytest.raises(RunError, match="no finished epoch"):
        draw_curves(RECORDS[:3], title="lenet-1")


def test_the_sheet_has_a_row_for_each_class_with_its_count(small: DataSet) -> None:
    figure = contact_sheet(small.train, title="small", per_class=4)
    assert [axes.get_ylabel() for axes in figure.axes] == [
        f"{name}\n{count}"
        for name, count in zip(small.train.class_names, small.train.labels.bincount(), strict=True)
    ]
    (strip,) = figure.axes[3].images
    pixels = strip.get_array()
    assert pixels is not None
    expected = small.train.images[small.train.labels == 3][:4, 0]
    assert (pixels == expected.permute(1, 0, 2).reshape(28, 4 * 28).numpy()).all()


def test_the_same_figure_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save_figure(draw_curves(RECORDS, title="lenet-1"), tmp_path / name)
    for ending in ("png", "svg"):
        assert (tmp_path / f"a.{ending}").read_bytes() == (tmp_path / f"b.{ending}").read_bytes()
    with Image.open(tmp_path / "a.png") as png:
        assert png.size == (1050, 630)


def test_a_picture_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    figure = draw_curves(RECORDS, title="lenet-1")
    with pytest.raises(ConfigError, match=r"ends in \.png"):
        save_picture(figure, tmp_path / "curves.doc")
    with pytest.raises(ConfigError, match="cannot be written"):
        save_picture(figure, tmp_path / "missing" / "curves.png")
