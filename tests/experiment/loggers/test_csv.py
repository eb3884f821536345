"""metrics.csv: its columns, its numbers to the last bit, and one line for a step."""

import csv
from pathlib import Path

import pytest

from convlens.core.errors import ConfigError
from convlens.experiment.execute import execute
from convlens.experiment.loggers.csv import CsvLogger
from convlens.experiment.loggers.points import Curves, Point
from convlens.experiment.recipe import Recipe
from convlens.runs.store import Run
from convlens.train.events import Checkpointed, Event, StepsFinished
from tests.experiment.loggers.conftest import stop_at, trained_in_two

HEADER = (
    "step,epoch,train/loss,train/lr,validation/loss,validation/accuracy,epoch/loss,"
    "epoch/seconds,epoch/images_per_second,test/loss,test/accuracy"
)


def read(run: Run) -> list[dict[str, str]]:
    with (run.path / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def numbers(rows: list[dict[str, str]]) -> list[Point]:
    return [
        Point(name=name, step=int(row["step"]), epoch=int(row["epoch"]), value=float(row[name]))
        for row in rows
        for name in row
        if name not in ("step", "epoch") and row[name]
    ]


def told(run: Run) -> list[Point]:
    curves = Curves()
    points = curves.of_records(run.records())
    return points + curves.of_test(run.summary()["test"])


def test_it_has_a_line_for_each_step_and_every_float_to_the_last_bit(
    recipe: Recipe, tmp_path: Path
) -> None:
    run = execute(recipe, out=tmp_path, listeners=[CsvLogger()])
    assert (run.path / "metrics.csv").read_text().splitlines()[0] == HEADER
    rows = read(run)
    assert [(row["step"], row["epoch"]) for row in rows] == [
        ("3", "1"), ("4", "1"), ("7", "2"), ("8", "2"), ("11", "3"), ("12", "3"),
    ]  # fmt: skip
    assert numbers(rows) == told(run)
    assert rows[0]["validation/loss"] == "" != rows[1]["validation/loss"]
    assert rows[-2]["test/accuracy"] == "" != rows[-1]["test/accuracy"]


def test_every_line_is_in_the_file_as_soon_as_it_is_told(recipe: Recipe, tmp_path: Path) -> None:
    lines: list[int] = []

    def watch(event: Event) -> None:
        if isinstance(event, StepsFinished | Checkpointed):
            lines.append(len((tmp_path / "small-1" / "metrics.csv").read_text().splitlines()))

    execute(recipe, out=tmp_path, listeners=[CsvLogger(), watch])
    assert lines == [2, 3, 3, 4, 5, 5, 6, 7, 7]


@pytest.mark.parametrize("kind", [StepsFinished, Checkpointed])
def test_a_run_that_went_on_has_the_table_of_one_that_never_stopped(
    recipe: Recipe, finished: Run, tmp_path: Path, kind: type
) -> None:
    run = trained_in_two(recipe, tmp_path, [CsvLogger()], [CsvLogger()], stop_at(kind, 2))
    found = numbers(read(run))
    assert found == told(run)
    losses = [point for point in found if point.name.endswith(("loss", "lr", "accuracy"))]
    assert losses == [p for p in told(finished) if p.name.endswith(("loss", "lr", "accuracy"))]


def test_it_has_no_other_place() -> None:
    with pytest.raises(ConfigError, match=r"--log csv=here: the table is always metrics\.csv"):
        CsvLogger("here")
