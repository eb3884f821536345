"""The terminal's manners: data to stdout, messages to stderr, JSON when asked for.

On a terminal tables are drawn by rich; in a pipe they are plain, without escape codes.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any

PIPE_WIDTH = 120  # columns of a table that no terminal bounds
_NUMERIC = re.compile(r"-|[\d.,x]+( %.*)?")  # 61,706 or 1x28x28 or 89.20 % (epoch 2)


def print_json(content: Mapping[str, Any]) -> None:
    """One JSON object on stdout."""
    print(json.dumps(content, indent=2, ensure_ascii=False))


def say(message: str = "") -> None:
    """A message for the person, on stderr."""
    print(message, file=sys.stderr)


def fail(what: str, fix: str = "") -> None:
    """What happened, and what to do, on stderr."""
    say(f"error: {what}")
    for line in fix.splitlines():
        say(f"  {line}")


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str | None = None
) -> None:
    """A table on stdout; columns whose cells all are numbers stand to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(columns):
        cells = [row[index] for row in rows]
        numeric = bool(cells) and all(_NUMERIC.fullmatch(cell) for cell in cells)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: no markup in what users named
    console = Console()
    if not console.is_terminal:
        console.width = PIPE_WIDTH
    with console.capture() as capture:
        console.print(table)
    lines = [line.rstrip() for line in capture.get().splitlines()]  # rich fills up with spaces
    print("\n".join(line for line in lines if line))


def print_markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table on stdout as GitHub reads it; spaces that indent a cell are kept."""
    lines = [columns, ["---"] * len(columns), *rows]
    for cells in lines:
        kept = [cell.replace("  ", "&nbsp; ").replace("|", "\\|") for cell in cells]
        print(f"| {' | '.join(kept)} |")


def print_pairs(pairs: Mapping[str, str]) -> None:
    """Names and values on stdout, a line each, values aligned."""
    width = max(len(name) for name in pairs)
    for name, value in pairs.items():
        print(f"{name:<{width}}  {value}")


def percent(share: float | None) -> str:
    """A share as per cent, "-" if there is none.

    >>> percent(0.9081)
    '90.81 %'
    """
    return "-" if share is None else f"{100 * share:.2f} %"
