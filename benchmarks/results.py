"""Results on paper: a page per machine, a section per benchmark, and the numbers beside it.

`results/<hardware>.md` is for people, `results/<hardware>.json` holds every measurement, and
`results/<hardware>-<name>.png` is the picture of a benchmark that draws one. A new result replaces
the old one of the same benchmark on the same hardware and leaves the rest alone.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.benchmark import Grid, Report
from benchmarks.measure import Machine
from benchmarks.pipe import ROOT
from convlens.core.files import write_whole
from convlens.report.figures import save_picture

FOLDER = ROOT / "benchmarks" / "results"


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a result comes from."""

    machine: Machine
    command: str
    commit: str | None
    date: str  # UTC


def today() -> str:
    """The date, in UTC, as results give it."""
    return datetime.now(UTC).date().isoformat()


def grid_lines(grid: Grid) -> list[str]:
    """A Markdown table, aligned so that it reads as well in a terminal.

    >>> print("\\n".join(grid_lines(Grid(("", "s"), (("a", "1.25"),)))))
    |     |    s |
    | --- | ---: |
    | a   | 1.25 |
    """
    rows = [grid.header, *grid.rows]
    widths = [max(3, *(len(row[column]) for row in rows)) for column in range(len(grid.header))]

    def line(cells: tuple[str, ...]) -> str:
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return f"| {' | '.join(padded)} |"

    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return [line(grid.header), f"| {' | '.join(rule)} |", *map(line, grid.rows)]


def section(report: Report, origin: Origin) -> str:
    """The report as a section of a page, without a heading above its own."""
    about = report.about.splitlines()
    lines = [f"## {report.title}", "", *about]
    for grid in report.grids:
        lines += ["", *grid_lines(grid)]
    lines += ["", *(f"- {note}" for note in report.notes)]
    lines += [
        f"- {origin.date}, {origin.machine.software}",
        f"- `{origin.command}`, commit {origin.commit or 'unknown'}",
    ]
    if (load := origin.machine.load) is not None:
        noise = ": something else ran in that minute, expect noise" if origin.machine.busy else ""
        lines.append(f"- load average before: {load:.2f}{noise}")
    return "\n".join(lines)


def update_section(page: str, name: str, content: str) -> str:
    """`page` with the section called `name` replaced, or added at its end.

    >>> page = update_section("# Page\\n", "step", "first")
    >>> print(update_section(page, "step", "second"))
    # Page
    <BLANKLINE>
    <!-- step -->
    second
    <!-- end of step -->
    <BLANKLINE>
    """
    opening, closing = f"<!-- {name} -->", f"<!-- end of {name} -->"
    block = f"{opening}\n{content}\n{closing}\n"
    before, found, rest = page.partition(f"{opening}\n")
    if not found:
        return f"{page.rstrip()}\n\n{block}"
    _, closed, after = rest.partition(f"{closing}\n")
    if not closed:
        raise ValueError(f"the section {name!r} is opened but never closed with {closing!r}")
    return before + block + after


def save(name: str, report: Report, origin: Origin, folder: Path = FOLDER) -> Path:
    """Write the report into its machine's page, and its numbers beside it; returns the page."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{origin.machine.slug}.md"
    text = page.read_text(encoding="utf-8") if page.exists() else _title(origin.machine)
    numbers = page.with_suffix(".json")
    known: dict[str, Any] = {}
    if numbers.exists():
        known = json.loads(numbers.read_text(encoding="utf-8"))
    known[name] = {"title": report.title, **asdict(origin), **_plain(report.data)}
    content = section(report, origin)
    if report.figure is not None:
        picture = folder / f"{origin.machine.slug}-{name}.png"
        save_picture(report.figure, picture)
        content += f"\n\n![{report.title}]({picture.name})"
    _write(page, update_section(text, name, content))
    _write(numbers, json.dumps(known, indent=1) + "\n")
    return page


def _title(machine: Machine) -> str:
    return f"# {machine.hardware}\n\nMade by `python -m benchmarks --save`; see ../README.md.\n"


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    taken = {"title", "machine", "command", "commit", "date"} & data.keys()
    assert not taken, f"{taken} stand for where a result comes from"
    return dict(data)


def _write(path: Path, text: str) -> None:
    write_whole(path, lambda stream: stream.write(text.encode()))
