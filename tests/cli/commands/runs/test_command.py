"""`convlens runs`, as a user meets it."""

import shutil
from pathlib import Path

from tests.cli.conftest import Convlens
from tests.report.runs.folders import make_run


def test_runs_are_listed_in_natural_order(
    convlens: Convlens, trained: Path, tmp_path: Path
) -> None:
    for number in (10, 2):
        shutil.copytree(trained, tmp_path / f"lenet-modern-{number}")
    listed = convlens("runs", "--out", tmp_path, "--json").json["runs"]
    assert [Path(run["run"]).name for run in listed] == ["lenet-modern-2", "lenet-modern-10"]
    assert listed[0]["status"] == "finished"
    assert "lenet-modern-10" in convlens("runs", "--out", tmp_path).out


def test_no_runs_yet_is_no_error(convlens: Convlens, tmp_path: Path) -> None:
    result = convlens("runs", "--out", tmp_path / "none")
    assert result.code == 0
    assert "next: convlens train" in result.out


def test_a_run_is_shown_epoch_by_epoch(convlens: Convlens, trained: Path) -> None:
    shown = convlens("runs", "show", trained, "--json").json
    assert [epoch["epoch"] for epoch in shown["epochs"]] == [1]
    last = shown["summary"]["validation"]["last"]["accuracy"]
    assert shown["epochs"][0]["validation_accuracy"] == last
    assert shown["provenance"]["versions"]["convlens"]
    text = convlens("runs", "show", trained).out
    assert "weights-last.safetensors" in text
    assert "finished" in text


def test_a_killed_run_is_shown_as_unfinished(
    convlens: Convlens, trained: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "lenet-modern-1"
    shutil.copytree(trained, copy)
    (copy / "summary.json").unlink()
    metrics = copy / "metrics.jsonl"
    metrics.write_bytes(metrics.read_bytes()[:-7])  # the last line is cut
    assert "unfinished" in convlens("runs", "--out", tmp_path).out
    assert convlens("runs", "show", copy).code == 0


def test_an_unknown_run_gives_the_nearest(convlens: Convlens, trained: Path) -> None:
    result = convlens("runs", "show", "lenet-moden-1", "--out", trained.parent)
    assert result.code == 3
    assert "'lenet-modern-1'" in result.err


def test_a_folder_that_is_no_run_is_refused(convlens: Convlens, tmp_path: Path) -> None:
    result = convlens("runs", "show", tmp_path)
    assert result.code == 3
    assert "not a run folder" in result.err


def test_runs_are_filtered_and_sorted(convlens: Convlens, tmp_path: Path) -> None:
    for number, accuracy in ((1, 0.7), (2, 0.9), (3, None)):
        make_run(tmp_path, f"lenet-{number}", accuracy=accuracy)
    listed = convlens("runs", "--out", tmp_path, "--sort", "test", "--json").json["runs"]
    assert [Path(run["run"]).name for run in listed] == ["lenet-2", "lenet-1", "lenet-3"]
    assert listed[0]["started"] == "2026-01-01T00:00:02+00:00"
    last = convlens("runs", "--out", tmp_path, "--last", "1", "--status", "finished")
    assert "lenet-2" in last.out
    assert "lenet-1" not in last.out
    none = convlens("runs", "--out", tmp_path, "--recipe", "lennet")
    assert (none.code, "did you mean 'lenet'?" in none.out) == (0, True)
    assert convlens("runs", "--out", tmp_path, "--recipe", "lennet", "--json").json == {"runs": []}


def test_an_unknown_status_or_order_is_refused_with_what_there_is(convlens: Convlens) -> None:
    for option in ("--status", "--sort"):
        result = convlens("runs", option, "nothing-like-it")
        assert (result.code, option in result.err) == (2, True)


def test_a_run_says_what_to_do_with_it(convlens: Convlens, tmp_path: Path) -> None:
    make_run(tmp_path, "lenet-1")
    alone = convlens("runs", "show", tmp_path / "lenet-1").out
    assert f"next:  convlens report {tmp_path / 'lenet-1'} -o report.html" in alone
    assert "convlens compare" not in alone
    make_run(tmp_path, "lenet-2")
    both = convlens("runs", "show", "lenet-1", "--out", tmp_path).out
    assert f"convlens compare lenet-1 lenet-2 --out {tmp_path}" in both
