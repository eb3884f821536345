"""Runs are filtered, counted from the newest, and sorted; what fits nothing says why."""

from pathlib import Path
from typing import Any, get_args

import pytest

from convlens.cli.commands.runs.chosen import Order, Status, choose, why_none, with_out
from convlens.runs.store import Run, list_runs
from tests.report.runs.folders import make_run


@pytest.fixture
def runs(tmp_path: Path) -> list[Run]:
    """Started in the order of their numbers."""
    make_run(tmp_path, "lenet-10", accuracy=0.7, epochs=1)
    make_run(tmp_path, "lenet-2", accuracy=0.9, epochs=3)
    make_run(tmp_path, "lenet-3", accuracy=None)
    make_run(tmp_path, "other-4", accuracy=0.8)
    return list_runs(tmp_path)


def names(runs: list[Run], **asked: Any) -> list[str]:
    wanted: dict[str, Any] = {"recipe": None, "status": None, "model": None, "last": None}
    wanted |= {"sort": "name", **asked}
    return [each.run.name for each in choose(runs, **wanted)]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("name", ["lenet-2", "lenet-3", "lenet-10", "other-4"]),
        ("test", ["lenet-2", "other-4", "lenet-10", "lenet-3"]),
        ("seconds", ["lenet-10", "other-4", "lenet-2", "lenet-3"]),
        ("started", ["lenet-2", "lenet-3", "other-4", "lenet-10"]),
    ],
)
def test_runs_are_sorted_and_those_without_the_number_come_last(
    runs: list[Run], sort: Order, expected: list[str]
) -> None:
    assert names(runs, sort=sort) == expected


def test_a_run_without_validation_comes_last(runs: list[Run]) -> None:
    assert names(runs, sort="validation")[-1] == "lenet-3"


def test_the_newest_are_those_that_started_last(runs: list[Run]) -> None:
    assert names(runs, last=2) == ["lenet-10", "other-4"]
    assert names(runs, last=2, sort="test") == ["other-4", "lenet-10"]
    assert names(runs, last=9) == names(runs)


def test_filters_hold_together(runs: list[Run]) -> None:
    assert names(runs, status="unfinished") == ["lenet-3"]
    assert names(runs, recipe="lenet", status="finished") == ["lenet-2", "lenet-10", "other-4"]
    assert names(runs, model="lenet") == names(runs)  # of the unfinished one by its recipe
    assert names(runs, model="vgg11") == []
    assert names(runs, data="fashion-mnist", status="unfinished") == ["lenet-3"]
    assert names(runs, data="mnist") == []
    said = why_none(runs, recipe=None, status=None, model=None, data="fashion-mnis")
    assert said == "no run with data 'fashion-mnis'; did you mean 'fashion-mnist'?"


def test_a_run_that_failed_can_be_asked_for(runs: list[Run]) -> None:
    runs[0].write_json("summary.json", {"status": "failed"})
    assert names(runs, status="failed") == ["lenet-2"]
    assert "failed" in get_args(Status)


def test_what_leaves_nothing_is_named(runs: list[Run]) -> None:
    said = why_none(runs, recipe="lennet", status=None, model=None)
    assert said == "no run with recipe 'lennet'; did you mean 'lenet'?"
    assert "'diverged'" in why_none(runs, recipe=None, status="diverged", model=None)


def test_a_command_names_the_folder_unless_it_is_the_usual() -> None:
    assert with_out("convlens runs", Path("runs")) == "convlens runs"
    assert with_out("convlens runs", Path("else")) == "convlens runs --out else"
