"""The report of runs holds what belongs to a result, and says what is missing."""

import re
from pathlib import Path

import pytest

from convlens.data.image_set import DataSet
from convlens.report.runs.document import save_report
from convlens.runs.store import Run
from tests.report.runs.folders import make_run, write_predictions
from tests.report.test_page import read


@pytest.fixture(scope="module")
def tested(
    small: DataSet, small_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> list[Run]:
    """Two sides of runs on the small data set; one image of ten is mistaken."""
    folder = tmp_path_factory.mktemp("runs")
    labels = small.test.labels.tolist()
    predicted = [(label + 1) % 10 if i % 10 == 3 else label for i, label in enumerate(labels)]
    data = {"folder": str(small_folder)}
    runs = [
        make_run(folder, "lenet-1", data=data, accuracy=0.90),
        make_run(folder, "lenet-2", data=data, accuracy=0.91, seed=1),
        make_run(folder, "lenet-3", data=data, accuracy=0.93, lr=0.5),
    ]
    for run in runs:
        write_predictions(run, labels, predicted)
    return runs


def page_of(runs: list[Run], folder: Path) -> tuple[str, list[str]]:
    path = folder / "page.html"
    missing = save_report(runs, path)
    return path.read_text(encoding="utf-8"), missing


def test_one_run_is_told_whole(tested: list[Run], tmp_path: Path) -> None:
    html, missing = page_of(tested[:1], tmp_path)
    reader = read(html)
    text = " ".join(reader.texts)
    assert missing == []
    assert reader.tags.count("img") == 3  # curves, confusion, mistakes
    for said in (
        "90.00 % of 1,000 images (87.98 to 91.71 %)",  # Wilson's interval
        "The 10 of 10 mistakes",
        "61,706 parameters, 416,520 MACs per image",
        "convlens train lenet",
        "0123456789abcdef-dirty",
        "lr = 0.1",
    ):
        assert said in text, said
    headings = ["Overview", "Curves", "Confusion and mistakes", "The network", "The recipe",
                "Where this comes from"]  # fmt: skip
    assert [text.index(f" {heading} ") for heading in headings] == sorted(
        text.index(f" {heading} ") for heading in headings
    )


def test_it_asks_no_other_host(tested: list[Run], tmp_path: Path) -> None:
    html, _ = page_of(tested, tmp_path)
    for link in read(html).links:
        assert link.startswith(("#", "data:")), link
    assert not re.search(r"https?://|@import|url\(", html)


def test_recall_and_precision_stand_beside_the_class(tested: list[Run], tmp_path: Path) -> None:
    html, _ = page_of(tested[:1], tmp_path)
    dress, coat = (re.search(rf"<tr><td>{name}</td>(.*?)</tr>", html) for name in ("dress", "coat"))
    assert dress is not None
    assert coat is not None
    cells = "<td class='number'>10</td><td class='number'>0.00 %</td><td>-</td><td>coat (10)</td>"
    assert dress[1] == cells  # every dress was taken for a coat
    assert "<td class='number'>100.00 %</td><td class='number'>50.00 %</td>" in coat[1]


def test_several_runs_are_compared_and_a_side_is_shown_once(
    tested: list[Run], tmp_path: Path
) -> None:
    html, _ = page_of(tested, tmp_path)
    text = " ".join(read(html).texts)
    assert "Cannot tell A and B apart: one run of B" in text
    assert "The settings in which the sides differ." in text
    assert "Run lenet-1" in text
    assert "Run lenet-3" in text
    assert "Run lenet-2" not in text
    assert "Of a side with several runs the first is shown: lenet-1 (A)." in text


def test_an_unfinished_run_is_said_to_be_unfinished(tmp_path: Path) -> None:
    run = make_run(tmp_path, "lenet-1", accuracy=None, epochs=0)
    (run.path / "provenance.json").unlink()
    html, missing = page_of([run], tmp_path)
    text = " ".join(read(html).texts)
    for said in (
        "the run lenet-1 is unfinished",
        "no finished epoch to draw",
        "there are no predictions",
        "nothing is known of where this run comes from",
    ):
        assert said in text, said
        assert any(said in line for line in missing), said
    assert "416,520 MACs" in text  # the rest is there


def test_a_run_that_was_stopped_early_says_why(tmp_path: Path) -> None:
    run = make_run(tmp_path, "lenet-1", epochs=1)
    assert "stopped early" not in page_of([run], tmp_path)[0]
    run.write_json("summary.json", {**run.summary(), "stopped": "10 seconds are over"})
    html, _ = page_of([run], tmp_path)
    assert "<td>stopped early</td><td>10 seconds are over</td>" in html


def test_images_that_are_not_those_that_were_tested_are_not_shown(
    small_folder: Path, tmp_path: Path
) -> None:
    elsewhere = make_run(tmp_path, "lenet-1", data={"folder": str(tmp_path / "none")})
    other = make_run(tmp_path, "lenet-2", data={"folder": str(small_folder)}, md5="1" * 32)
    for run in (elsewhere, other):
        write_predictions(run, labels=[1, 2], predicted=[1, 3])
    html, missing = page_of([elsewhere, other], tmp_path)
    assert len([line for line in missing if "images are not shown" in line]) == 2
    assert "the test set is not the one that this run was tested on" in html
    assert "class 3 (1)" in html  # the numbers are there, without names


def test_data_that_moved_are_found_in_the_folder_given(
    tested: list[Run], small_folder: Path, tmp_path: Path
) -> None:
    table = tested[0].read_recipe()
    moved = make_run(tmp_path, "lenet-1")
    moved.write_recipe({**table, "data": {**table["data"], "folder": "nowhere"}})
    source = tested[0].path / "predictions.npz"
    (moved.path / "predictions.npz").write_bytes(source.read_bytes())
    assert save_report([moved], tmp_path / "page.html", folder=small_folder) == []


def test_what_cannot_be_read_is_said(tmp_path: Path) -> None:
    run = make_run(tmp_path, "lenet-1")
    (run.path / "predictions.npz").write_bytes(b"nothing")
    table = run.read_recipe()
    run.write_recipe({**table, "model": {"name": "of-later"}})
    html, missing = page_of([run], tmp_path)
    assert any("not labels and logits" in line for line in missing)
    assert "the network cannot be built: no model" in html
