"""The board as tables: turns of each recipe, kept in a JSON file and told in Markdown beside it."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

from benchmarks.benchmark import Grid
from benchmarks.board.turn import BUSY, Turn
from benchmarks.measure import Machine
from benchmarks.results import grid_lines


@dataclass(frozen=True, slots=True)
class Mark:
    """An accuracy to reach, and in what time it was meant to be reached."""

    accuracy: float  # in [0, 1]
    seconds: float  # of training
    seeds: int  # that the mean must be of


MARKS: Mapping[str, Mark] = {
    "fast-90": Mark(0.90, 15, 10),
    "fast-92": Mark(0.92, 35, 10),
    "fast-93": Mark(0.93, 120, 10),
    "fast-94": Mark(0.94, 480, 5),
}
MARK_HEADER = (
    "recipe", "mark", "n", "test accuracy", "reached", "mirror-averaged", "seconds of training",
    "meant", "set-up and test", "n of times",
)  # fmt: skip
NET_HEADER = (
    "recipe", "n", "test accuracy", "min to max", "mirror-averaged", "seconds of training",
    "set-up and test", "n of times",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A recipe on the board."""

    turns: tuple[Turn, ...]
    software: str
    commit: str
    date: str

    @property
    def accuracies(self) -> list[float]:
        """In per cent."""
        return [100 * turn.accuracy for turn in self.turns]

    @property
    def timed(self) -> list[Turn]:
        """The turns whose times count."""
        return [turn for turn in self.turns if turn.undisturbed]

    def reached(self, mark: Mark) -> str:
        """Whether the mean reaches the mark, by enough seeds."""
        if len(self.turns) < mark.seeds:
            return f"needs n = {mark.seeds}"
        return "yes" if mean(self.accuracies) >= 100 * mark.accuracy else "no"


def page(machine: Machine, entries: Mapping[str, Entry]) -> str:
    """The board of a machine, in Markdown.

    The accuracy is the mean with the standard deviation over the seeds, times are medians of the
    turns during which nothing else ran.
    """
    marked = {name: mark for name, mark in MARKS.items() if name in entries}
    marks = [_mark_row(name, mark, entries[name]) for name, mark in marked.items()]
    nets = [_net_row(name, entry) for name, entry in entries.items() if name not in MARKS]
    lines = [f"# {machine.hardware}", "", "Made by `python -m benchmarks.board`; see README.md."]
    for title, header, rows in (
        ("Seconds to an accuracy", MARK_HEADER, marks),
        ("The book's networks", NET_HEADER, nets),
    ):
        if rows:
            lines += ["", f"## {title}", "", *grid_lines(Grid(header, tuple(rows)))]
    lines += ["", "Accuracies in per cent, mean and standard deviation over the seeds; times are"]
    lines += [f"medians of the turns during which others used at most {BUSY} cores.", ""]
    for name, entry in entries.items():
        lines.append(f"- `{name}`: {entry.date}, commit {entry.commit}, {entry.software}")
    return "\n".join(lines) + "\n"


def save(folder: Path, machine: Machine, new: Mapping[str, Entry]) -> Path:
    """Put the `new` entries in place of older ones of the same recipes; gives the page."""
    numbers, written = folder / f"{machine.slug}.json", folder / f"{machine.slug}.md"
    entries = load(numbers) | dict(new)
    ordered = {name: entries[name] for name in [*MARKS, *entries] if name in entries}
    content = {name: asdict(entry) for name, entry in ordered.items()}
    numbers.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    written.write_text(page(machine, ordered), encoding="utf-8")
    return written


def load(numbers: Path) -> dict[str, Entry]:
    """The entries in a file that `save` wrote; none if it is not there."""
    if not numbers.exists():
        return {}
    content: dict[str, dict[str, Any]] = json.loads(numbers.read_text(encoding="utf-8"))
    return {
        name: Entry(turns=tuple(Turn(**turn) for turn in entry.pop("turns")), **entry)
        for name, entry in content.items()
    }


def _mark_row(name: str, mark: Mark, entry: Entry) -> tuple[str, ...]:
    return (
        name,
        f"{100 * mark.accuracy:g}",
        str(len(entry.turns)),
        with_spread(entry.accuracies),
        entry.reached(mark),
        with_spread([100 * turn.mirrored for turn in entry.turns]),
        _median([turn.train_seconds for turn in entry.timed]),
        f"{mark.seconds:g}",
        _median([turn.seconds - turn.train_seconds for turn in entry.timed]),
        str(len(entry.timed)),
    )


def _net_row(name: str, entry: Entry) -> tuple[str, ...]:
    return (
        name,
        str(len(entry.turns)),
        with_spread(entry.accuracies),
        f"{min(entry.accuracies):.2f} to {max(entry.accuracies):.2f}",
        with_spread([100 * turn.mirrored for turn in entry.turns]),
        _median([turn.train_seconds for turn in entry.timed]),
        _median([turn.seconds - turn.train_seconds for turn in entry.timed]),
        str(len(entry.timed)),
    )


def with_spread(values: Sequence[float]) -> str:
    """Mean and standard deviation.

    >>> with_spread([90.0, 91.0]), with_spread([90.0])
    ('90.50 +- 0.71', '90.00')
    """
    spread = f" +- {stdev(values):.2f}" if len(values) > 1 else ""
    return f"{mean(values):.2f}{spread}"


def _median(values: Sequence[float]) -> str:
    middle = median(values) if values else math.nan
    return "-" if math.isnan(middle) else f"{middle:.1f}"
