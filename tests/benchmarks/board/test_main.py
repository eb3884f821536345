"""The board's command line."""

import subprocess
from pathlib import Path

import pytest

from benchmarks.board import __main__ as command_line
from benchmarks.board.turn import Turn


@pytest.fixture
def taken(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    taken: list[tuple[str, int]] = []

    def take(recipe: str, seed: int, _: Path) -> Turn:
        taken.append((recipe, seed))
        return Turn(
            seed=seed, accuracy=0.9, mirrored=0.91, train_seconds=1.0, seconds=2.0, others=0.0
        )

    monkeypatch.setattr(command_line, "take_turn", take)
    return taken


def test_recipes_take_turns_and_the_table_is_printed(
    taken: list[tuple[str, int]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.main(["fast-90", "lenet", "--seeds", "2"]) == 0
    assert taken == [("fast-90", 0), ("lenet", 0), ("fast-90", 1), ("lenet", 1)]
    printed = capsys.readouterr().out
    assert "## Seconds to an accuracy" in printed and "## The book's networks" in printed


def test_results_are_saved_when_asked(
    taken: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(command_line, "FOLDER", tmp_path)
    assert command_line.main(["lenet", "--seeds", "1", "--save"]) == 0
    assert taken == [("lenet", 0)]
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".json", ".md"]


def test_an_unknown_recipe_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["fast-9"]) == 2
    assert "did you mean 'fast-9" in capsys.readouterr().err


def test_a_training_that_fails_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> Turn:
        raise subprocess.CalledProcessError(4, ["convlens"], stderr="the loss became nan")

    monkeypatch.setattr(command_line, "take_turn", fail)
    assert command_line.main(["lenet", "--seeds", "1"]) == 3
    assert "the loss became nan" in capsys.readouterr().err
