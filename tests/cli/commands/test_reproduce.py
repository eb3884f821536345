"""`convlens reproduce`, as a user meets it: with one tiny training and the cheap studies."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from convlens.course.homework import replay as room
from convlens.course.homework import trainings
from convlens.course.study import Claim
from tests.cli.conftest import Convlens
from tests.course.homework.tiny import CHEAP, TINY


@pytest.fixture
def arguments(
    tmp_path: Path, small_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str | Path]:
    monkeypatch.setattr(room, "TRAININGS", (TINY,))
    monkeypatch.setattr(trainings, "TRAININGS", (TINY,))  # what the announcement lists
    monkeypatch.setattr(room, "STUDIES", {name: room.STUDIES[name] for name in CHEAP})
    return ["reproduce", "--folder", small_folder, "--out", tmp_path / "homework"]


def test_it_ends_with_tables_a_report_and_the_next_command(
    convlens: Convlens, arguments: list[str | Path], tmp_path: Path
) -> None:
    result = convlens(*arguments)
    assert result.code == 0
    assert "Tiny LeNet, 28x28, 2 epochs: 1 minute" in result.err
    assert result.err.index("in all about") < result.err.index("training on 300 images")
    for text in ("printed values", "trainings", "exercises", "[[19 25] [37 43]]", "8.2-layers"):
        assert text in result.out
    assert "everything came out as it should" in result.err
    report = tmp_path / "homework" / "report.html"
    assert f"report: {report}" in result.out
    assert report.read_text(encoding="utf-8").startswith("<!doctype html>")
    kept = json.loads((tmp_path / "homework" / "report.json").read_text(encoding="utf-8"))
    assert kept["trainings"][0]["run"] == str(tmp_path / "homework" / "runs" / "tiny-1")

    again = convlens(*arguments)
    assert "Tiny LeNet, 28x28, 2 epochs: finished before" in again.err
    assert "kept from before" in again.err
    assert "training on" not in again.err


def test_it_is_one_json_object_when_asked(
    convlens: Convlens, arguments: list[str | Path], tmp_path: Path
) -> None:
    result = convlens(*arguments, "--json")
    assert result.code == 0
    content = result.json
    assert content["faults"] == []
    assert [each["name"] for each in content["studies"]] == list(CHEAP)
    assert content == json.loads((tmp_path / "homework" / "report.json").read_text("utf-8"))


def test_quiet_says_only_the_result(convlens: Convlens, arguments: list[str | Path]) -> None:
    result = convlens(*arguments, "--quiet")
    assert result.code == 0
    assert "printed values" in result.out
    assert "epoch" not in result.err


def test_what_is_not_as_it_should_be_is_named_and_ends_with_1(
    convlens: Convlens, arguments: list[str | Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    study = room.STUDIES["7.3-shape"]
    finding = study.run(room.Setup())
    wrong = replace(finding, claims=(Claim("said", "it is 3 x 3", False),))
    monkeypatch.setattr(
        room, "STUDIES", {study.name: replace(study, experiment=lambda setup: wrong)}
    )
    result = convlens(*arguments)
    assert result.code == 1
    assert "NOT CONFIRMED" in result.out
    assert "not as it should be: study 7.3-shape" in result.err


def test_broken_off_it_says_how_to_go_on(
    convlens: Convlens, arguments: list[str | Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*arguments: object, **settings: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(room, "train_or_continue", stop)
    result = convlens(*arguments)
    assert result.code == 130
    assert "to go on: the same command again" in result.err


def test_data_that_cannot_be_used_end_it_with_3(convlens: Convlens, tmp_path: Path) -> None:
    result = convlens("reproduce", "--folder", tmp_path, "--out", tmp_path / "homework")
    assert result.code == 3
    assert not (tmp_path / "homework" / "report.html").exists()
