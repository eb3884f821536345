"""The board keeps means, has one line per curve, and is silent outside a notebook."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from convlens.core.errors import ConfigError
from convlens.d2l.board import Point, ProgressBoard, mean


def test_a_point_is_the_mean_of_so_many() -> None:
    board = ProgressBoard()
    for x in range(5):
        board.draw(x, torch.tensor(2.0 * x, requires_grad=True), "a", every_n=2)
    assert board.data["a"] == [Point(0.5, 1), Point(2.5, 5)]


def test_points_may_have_weights() -> None:
    board = ProgressBoard()
    board.draw(1, 0.5, "a", every_n=2, weight=64)
    board.draw(1, torch.tensor(1.0), "a", every_n=2, weight=36)
    assert board.data["a"][0].y == pytest.approx((32 + 36) / 100)


@pytest.mark.parametrize("every_n", [0, -1, 1])
def test_every_point_counts_where_none_would_ever_be_enough(every_n: int) -> None:
    board = ProgressBoard()
    board.draw(1, 1.0, "a", every_n=every_n)
    assert len(board.data["a"]) == 1


def test_a_curve_is_one_line_however_often_it_is_drawn(
    capsys: pytest.CaptureFixture[str],
) -> None:
    board = ProgressBoard(xlabel="epoch", xlim=[0, 60], yscale="log")
    for x in range(60):
        board.draw(x, np.float32(x + 1), "a")
        board.draw(x, 2 * x + 1, "b")
        board.redraw()
    axes = board.axes
    assert [line.get_label() for line in axes.lines] == ["a", "b"]
    assert np.array_equal(axes.lines[0].get_ydata(), range(1, 61))
    assert (axes.get_xlabel(), axes.get_yscale(), axes.get_xlim()) == ("epoch", "log", (0, 60))
    assert capsys.readouterr().out == ""


def test_the_axes_follow_the_points_and_more_than_four_curves_are_drawn() -> None:
    board = ProgressBoard(ylim=(0, 7))
    for index in range(6):
        board.draw(0, 0.0, f"curve {index}")
        board.draw(50, 5.0, f"curve {index}")
    board.redraw()
    assert len(board.axes.lines) == 6
    assert board.axes.get_xlim()[1] >= 50
    assert board.axes.get_ylim() == (0, 7)


def test_it_draws_into_axes_that_are_given() -> None:
    axes = Figure().add_subplot()
    board = ProgressBoard(axes=axes)
    board.draw(1, 2.0, "a")
    assert len(axes.lines) == 1
    axes = Figure().add_subplot()
    ProgressBoard(fig=axes.figure, display=False).redraw()  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_it_is_saved_as_a_picture(tmp_path: Path, ending: str) -> None:
    board = ProgressBoard()
    board.draw(1, 2.0, "a")
    path = board.save(tmp_path / f"curves.{ending}")
    assert path.stat().st_size > 1000
    with pytest.raises(ConfigError):
        board.save(tmp_path / "curves.txt")


def test_in_a_notebook_one_picture_is_shown_and_then_updated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[str] = []

    def svg(data: str) -> str:
        return data[:200]

    def display(picture: str, display_id: bool) -> Any:
        assert display_id
        shown.append("shown" + picture)
        return SimpleNamespace(update=lambda picture: shown.append("updated" + picture))

    ipython, displays = ModuleType("IPython"), ModuleType("IPython.display")
    ipython.get_ipython = lambda: SimpleNamespace(kernel=1)  # pyright: ignore
    displays.SVG, displays.display = svg, display  # pyright: ignore
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", displays)
    board = ProgressBoard()
    board.draw(1, 1.0, "a")
    board.draw(2, 1.0, "a")
    assert [text[:5] for text in shown] == ["shown", "updat"]
    assert all("<?xml" in text for text in shown)
    ProgressBoard(display=False).draw(1, 1.0, "a")
    assert len(shown) == 2


def test_a_mean_takes_tensors_and_numbers_together() -> None:
    assert mean([torch.tensor(1.0), 2, np.float64(3)], [1, 1, 2]) == pytest.approx(9 / 4)
