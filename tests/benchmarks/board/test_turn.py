"""A turn is the command's own result, and knows whether others ran."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from benchmarks.board import turn as module
from benchmarks.board.turn import busy_seconds, take_turn

COMMANDS: dict[str, Mapping[str, Any]] = {
    "train": {"run": "runs/lenet-1", "train_seconds": 3.0, "seconds": 4.0},
    "evaluate": {"accuracy": 0.9, "tta": {"accuracy": 0.91}},
}


def test_what_the_commands_say_is_what_a_turn_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    typed: list[tuple[str, ...]] = []

    def convlens(*arguments: str) -> Mapping[str, Any]:
        typed.append(arguments)
        return COMMANDS[arguments[0]]

    monkeypatch.setattr(module, "_convlens", convlens)
    taken = take_turn("lenet", 7, tmp_path)
    assert typed == [
        ("train", "lenet", "--seed", "7", "--out", str(tmp_path), "--quiet"),
        ("evaluate", "runs/lenet-1", "--tta", "mirror"),
    ]
    assert (taken.seed, taken.accuracy, taken.mirrored) == (7, 0.9, 0.91)
    assert taken.train_seconds == 3.0


@pytest.mark.parametrize("work", [0.0, 2.0])
def test_what_others_did_is_the_work_of_the_machine_without_our_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, work: float
) -> None:
    clock, busy, own = iter([0.0, 10.0]), iter([100.0, 118.0 + work]), iter([1.0, 19.0])
    monkeypatch.setattr(module, "_convlens", lambda *arguments: COMMANDS[arguments[0]])
    monkeypatch.setattr(module.time, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(module, "busy_seconds", lambda: next(busy))
    monkeypatch.setattr(module, "_children_seconds", lambda: next(own))
    taken = take_turn("lenet", 0, tmp_path)
    assert taken.others == pytest.approx(work / 10)
    assert taken.undisturbed == (work == 0)


def test_the_work_of_the_machine_leaves_out_idling_and_waiting(tmp_path: Path) -> None:
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 20 30 4000 500 6 7 8 9 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n")
    assert busy_seconds(stat) == 171 / os.sysconf("SC_CLK_TCK")
    assert busy_seconds(tmp_path / "none") is None


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        take_turn("lenett", 0, tmp_path)
    assert "did you mean 'lenet'?" in failed.value.stderr
