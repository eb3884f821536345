"""`metrics.csv` in the run folder: a line for each step of which something is told.

The first columns are `step` and `epoch`, the others those of `loggers/points.py`; a number that
was not told at a step is left empty. Floats are written so that they read back bit for bit.
"""

import csv
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any, TextIO, final

from convlens.core.errors import ConfigError
from convlens.experiment.loggers.logger import Logger
from convlens.experiment.loggers.points import NAMES, Point
from convlens.experiment.recipe import Recipe
from convlens.runs.store import Run

FILE = "metrics.csv"
COLUMNS: tuple[str, ...] = ("step", "epoch", *NAMES)


@final
class CsvLogger(Logger):
    """Writes `metrics.csv`."""

    name = "csv"

    def __init__(self, place: str = "") -> None:
        super().__init__(place)
        if place:
            raise ConfigError(
                f"--log csv={place}: the table is always {FILE} in the run folder",
                fix="write --log csv",
            )
        self._file: TextIO | None = None
        self._row: dict[str, Any] = {}  # the last one
        self._row_starts = 0  # where in the file

    def open(self, run: Run, recipe: Recipe, points: Sequence[Point]) -> None:
        """Write the file anew."""
        del recipe
        self._file = (run.path / FILE).open("w", encoding="utf-8", newline="")
        self._write(dict(zip(COLUMNS, COLUMNS, strict=True)))
        self._row, self._row_starts = {}, self._file.tell()
        self.add(points)

    def add(self, points: Sequence[Point]) -> None:
        """Write a line for each step; the last line again if it is of the same step."""
        assert self._file is not None
        for step, group in groupby(points, key=lambda point: point.step):
            together = list(group)
            if step == self._row.get("step"):
                self._file.seek(self._row_starts)
                self._file.truncate()
            else:
                self._row = {"step": step, "epoch": together[0].epoch}
                self._row_starts = self._file.tell()
            self._row |= {point.name: point.value for point in together}
            self._write(self._row)
        self._file.flush()

    def close(self, status: str) -> None:
        """Close the file."""
        del status
        if self._file is not None:
            file, self._file = self._file, None
            file.close()

    def how_to_look(self, run: Run) -> str:
        """The file."""
        return str(run.path / FILE)

    def _write(self, row: Mapping[str, Any]) -> None:
        assert self._file is not None
        csv.DictWriter(self._file, COLUMNS, lineterminator="\n").writerow(row)
