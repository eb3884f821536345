"""`convlens compare`, as a user meets it."""

from pathlib import Path

import pytest

from tests.cli.conftest import Convlens
from tests.report.runs.folders import make_run


@pytest.fixture
def four(tmp_path: Path) -> Path:
    """A folder with two runs of each of two recipes."""
    for number, (lr, seed, accuracy) in enumerate(
        [(0.1, 0, 0.80), (0.1, 1, 0.81), (0.5, 0, 0.90), (0.5, 1, 0.902)], start=1
    ):
        make_run(tmp_path, f"lenet-{number}", lr=lr, seed=seed, accuracy=accuracy)
    return tmp_path


NAMES = [f"lenet-{number}" for number in range(1, 5)]


def test_two_sides_are_compared(convlens: Convlens, four: Path) -> None:
    result = convlens("compare", *NAMES, "--out", four)
    assert result.code == 0
    assert "B is better than A by 9.60 points" in result.out
    assert "train.lr" in result.out
    assert "Wilson's 95 %" in result.err
    assert "next: convlens report lenet-1" in result.err


def test_all_of_it_is_there_as_json(convlens: Convlens, four: Path) -> None:
    found = convlens("compare", *NAMES, "--out", four, "--json").json
    assert [run["side"] for run in found["runs"]] == ["A", "A", "B", "B"]
    assert found["runs"][0]["summary"]["test"]["accuracy"] == 0.8
    assert found["settings"] == {"train.lr": [0.1, 0.5]}
    assert found["sides"][1]["test_accuracy"]["n"] == 2
    assert found["sides"][1]["accuracy_by_seed"] == {"0": 0.9, "1": 0.902}
    (verdict,) = found["verdicts"]
    assert (verdict["verdict"], verdict["gap"]["confidence"]) == ("better", 0.95)
    assert verdict["gap"]["low"] < verdict["gap"]["difference"] < verdict["gap"]["high"]
    assert found["pictures"] == []


def test_one_run_each_cannot_tell_and_is_no_failure(convlens: Convlens, four: Path) -> None:
    result = convlens("compare", four / "lenet-1", four / "lenet-3")
    assert result.code == 0
    assert "cannot tell A and B apart: one run each; train more seeds: convlens train" in result.out


def test_the_curves_are_drawn_where_asked(convlens: Convlens, four: Path) -> None:
    png = four / "compare.png"
    found = convlens("compare", *NAMES[1:3], "--out", four, "--png", png, "--json").json
    assert found["pictures"] == [str(png), str(four / "compare.svg")]
    assert png.read_bytes().startswith(b"\x89PNG")
    assert b"<svg" in (four / "compare.svg").read_bytes()


def test_what_makes_no_comparison_is_refused(convlens: Convlens, four: Path) -> None:
    one = convlens("compare", "lenet-1", four / "lenet-1", "--out", four)
    assert (one.code, "nothing to be compared with" in one.err) == (2, True)
    ending = convlens("compare", "lenet-1", "lenet-2", "--out", four, "--png", "a.gif")
    assert (ending.code, ".png" in ending.err) == (2, True)
    unknown = convlens("compare", "lenet-1", "lennet-2", "--out", four)
    assert (unknown.code, "'lenet-2'" in unknown.err) == (3, True)
