"""Tables: one row for each run and each side, and what is not there is a dash."""

from pathlib import Path

from convlens.report.runs.sides import Entry, group, origin_differences, setting_differences
from convlens.report.runs.tables import (
    RUN_COLUMNS,
    SIDE_COLUMNS,
    difference_rows,
    halves,
    origin_table,
    run_rows,
    side_rows,
)
from tests.report.runs.folders import make_run


def test_a_run_has_a_row_with_its_numbers(tmp_path: Path) -> None:
    runs = [make_run(tmp_path, "lenet-1"), make_run(tmp_path, "lenet-2", accuracy=None, lr=0.5)]
    sides = group(runs)
    whole, unfinished = run_rows(sides)
    assert whole == [
        "lenet-1", "A", "0", "75.00 %", "75.00 %", "90.00 %", "0.3000", "20.0", "100", "61,706",
    ]  # fmt: skip
    assert unfinished == ["lenet-2 (unfinished)", "B", "0", *["-"] * 7]
    assert len(whole) == len(RUN_COLUMNS)


def test_the_two_halves_are_the_whole_table(tmp_path: Path) -> None:
    sides = group([make_run(tmp_path, "lenet-1")])
    (columns, (row,)), (more_columns, (more,)) = halves(sides)
    assert (*columns, *more_columns[3:]) == RUN_COLUMNS
    assert [*row, *more[3:]] == run_rows(sides)[0]
    assert row[:3] == more[:3]


def test_a_side_has_mean_and_spread_where_there_is_one(tmp_path: Path) -> None:
    sides = group(
        [
            make_run(tmp_path, "lenet-1", accuracy=0.90),
            make_run(tmp_path, "lenet-2", accuracy=0.92, seed=1),
            make_run(tmp_path, "lenet-3", lr=0.5),
            make_run(tmp_path, "lenet-4", lr=0.7, accuracy=None),
        ]
    )
    assert side_rows(sides) == [
        ["A", "2", "91.00 %", "1.41 points", "lenet-1, lenet-2"],
        ["B", "1", "90.00 %", "-", "lenet-3"],
        ["C", "0", "-", "-", "lenet-4"],
    ]
    assert len(SIDE_COLUMNS) == 5


def test_differences_are_written_as_in_a_recipe(tmp_path: Path) -> None:
    runs = [
        make_run(tmp_path, "lenet-1", momentum=0.9, nesterov=True),
        make_run(tmp_path, "lenet-2", momentum=0.9, data={"mean": [0.5]}, device="cpu"),
    ]
    sides = group(runs)
    assert difference_rows(setting_differences(sides)) == [
        ["data.mean", "0.0", "0.5"],
        ["train.nesterov", "true", "false"],
    ]
    entries = [Entry(run) for run in runs]
    assert origin_table(entries, origin_differences(entries)) == (
        ["run", "train.device"],
        [["lenet-1", "auto"], ["lenet-2", "cpu"]],
    )
