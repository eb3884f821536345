"""Loggers are named with their places, and a run remembers its own."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("tensorboard")

from convlens.core.errors import ConfigError, UnknownName
from convlens.experiment.loggers.catalog import LOGGERS, make_loggers, remembered_loggers
from convlens.experiment.loggers.logger import logged
from convlens.experiment.recipe import Recipe
from convlens.runs.store import Run


def test_a_name_may_carry_a_place(tmp_path: Path) -> None:
    csv, board = make_loggers(["csv", f"tensorboard={tmp_path}/a=b"])
    assert (csv.name, csv.place) == ("csv", "")
    assert (board.name, board.place) == ("tensorboard", f"{tmp_path}/a=b")
    assert make_loggers([]) == []


def test_a_relative_place_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (board,) = make_loggers(["tensorboard=logs"])
    assert board.place == str(tmp_path / "logs")


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (["csvv"], "no log 'csvv'; did you mean 'csv'"),
        (["csv", "csv"], "csv is named twice"),
        (["tensorboard="], "no place after '='"),
    ],
)
def test_what_makes_no_sense_is_refused(wanted: list[str], words: str) -> None:
    with pytest.raises((UnknownName, ConfigError), match=words):
        make_loggers(wanted)


def test_a_run_remembers_its_loggers_and_their_places(recipe: Recipe, tmp_path: Path) -> None:
    run = Run(tmp_path)
    assert remembered_loggers(run) == []
    with logged(make_loggers(["csv", f"tensorboard={tmp_path / 'logs'}"]), run, recipe):
        pass
    again = [(logger.name, logger.place) for logger in remembered_loggers(run)]
    assert again == [("csv", ""), ("tensorboard", str(tmp_path / "logs"))]


def test_no_package_is_imported_for_a_log_that_is_not_asked_for() -> None:
    code = "import sys; from convlens.experiment.loggers.catalog import make_loggers as make; "
    code += "make(['csv']); assert not {'tensorboard', 'mlflow'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_catalog_has_each_logger_by_its_own_name() -> None:
    assert list(LOGGERS) == ["csv", "mlflow", "tensorboard"]
