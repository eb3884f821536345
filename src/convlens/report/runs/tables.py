"""Tables: runs and sides as rows of text, the same in a terminal and on a page."""

from collections.abc import Mapping, Sequence
from typing import Any

from convlens.report.runs.sides import Entry, Side

RUN_COLUMNS = (
    "run", "side", "seed", "best validation", "last validation", "test accuracy", "test loss",
    "seconds", "images/s", "parameters",
)  # fmt: skip
NUM_KEYS = 3  # of a run's row: which one it is
NUM_RESULTS = 7  # and how good it is; what follows is what it took
SIDE_COLUMNS = ("side", "seeds", "mean test accuracy", "sd between seeds", "runs")
ABSENT = "-"


def run_rows(sides: Sequence[Side]) -> list[list[str]]:
    """A row for each run, under RUN_COLUMNS."""
    return [_run_row(side, entry) for side in sides for entry in side.entries]


def _run_row(side: Side, entry: Entry) -> list[str]:
    summary, test = entry.summary, entry.test or {}
    best, last = entry.validation("best"), entry.validation("last")
    status = summary["status"]
    return [
        entry.run.name + ("" if status == "finished" else f" ({status})"),
        side.name,
        str(entry.seed),
        percent(best["accuracy"]) if best else ABSENT,
        percent(last["accuracy"]) if last else ABSENT,
        percent(test.get("accuracy")),
        number(test.get("loss"), ".4f"),
        number(summary.get("seconds"), ",.1f"),
        number(summary.get("images_per_second"), ",.0f"),
        number(summary.get("num_parameters"), ","),
    ]


def side_rows(sides: Sequence[Side]) -> list[list[str]]:
    """A row for each side, under SIDE_COLUMNS."""
    rows: list[list[str]] = []
    for side in sides:
        found = side.spread
        points = "" if found is None or found.sd is None else f"{100 * found.sd:.2f} points"
        rows.append(
            [
                side.name,
                str(found.n if found else 0),
                percent(found.mean if found else None),
                points or ABSENT,
                side.runs,
            ]
        )
    return rows


def halves(sides: Sequence[Side]) -> list[tuple[Sequence[str], list[list[str]]]]:
    """The table of runs as two narrow ones, for paper: how good they are, what they took."""
    rows = run_rows(sides)
    return [
        (RUN_COLUMNS[:NUM_RESULTS], [row[:NUM_RESULTS] for row in rows]),
        (
            (*RUN_COLUMNS[:NUM_KEYS], *RUN_COLUMNS[NUM_RESULTS:]),
            [[*row[:NUM_KEYS], *row[NUM_RESULTS:]] for row in rows],
        ),
    ]


def origin_table(
    entries: Sequence[Entry], differences: Mapping[str, Sequence[Any]]
) -> tuple[list[str], list[list[str]]]:
    """Columns and rows: a row for each run, a column for each thing that differs."""
    rows = [
        [entry.run.name, *(_text(values[index]) for values in differences.values())]
        for index, entry in enumerate(entries)
    ]
    return ["run", *differences], rows


def difference_rows(differences: Mapping[str, Sequence[Any]]) -> list[list[str]]:
    """A row for each key, its values beside it."""
    return [[key, *(_text(value) for value in values)] for key, values in differences.items()]


def percent(share: float | None) -> str:
    """A share as per cent, "-" if there is none.

    >>> percent(0.9081)
    '90.81 %'
    """
    return ABSENT if share is None else f"{100 * share:.2f} %"


def number(value: int | float | None, form: str) -> str:
    """A number in this format, "-" if there is none.

    >>> number(61706, ","), number(None, ",")
    ('61,706', '-')
    """
    return ABSENT if value is None else format(value, form)


def _text(value: Any) -> str:
    if value is None:
        return ABSENT
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
