"""`convlens probe`, as a user meets it."""

from pathlib import Path

import pytest

from convlens.experiment.machine import probe
from convlens.train.machine import contention
from tests.cli.conftest import Convlens


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(probe, "SECONDS", 0.0)
    monkeypatch.setattr(probe, "has_bfloat16", lambda _: False)
    monkeypatch.setattr(contention, "note_now", lambda: "others are at work")
    monkeypatch.chdir(tmp_path)


def test_each_layout_is_a_row_and_one_is_chosen(
    convlens: Convlens, small_folder: Path, tmp_path: Path
) -> None:
    result = convlens("probe", "lenet", "--set", f"data.folder={small_folder}")
    assert result.code == 0
    assert "lenet: a step of 128 images" in result.out
    assert result.out.count("float32") == 4  # two rows, the choice, the command
    assert "next:   convlens train lenet --set train.channels_last=" in result.out
    assert "note: others are at work" in result.err
    assert not list(tmp_path.iterdir())


def test_json_has_every_number(convlens: Convlens, small_folder: Path) -> None:
    settings = [f"data.folder={small_folder}", "train.batch_size=10"]
    result = convlens("probe", "lenet", "--set", settings[0], "--set", settings[1], "--json")
    assert [way["channels_last"] for way in result.json["ways"]] == [True, False]
    assert all(way["median_seconds"] > 0 for way in result.json["ways"])
    assert result.json["chosen"]["precision"] == "float32"
    assert result.err == ""


def test_an_unknown_recipe_is_refused(convlens: Convlens) -> None:
    assert convlens("probe", "lenett").code == 2
