"""The terminal's manners: data to stdout, messages to stderr, JSON when asked for.

On a terminal tables are drawn by rich; in a pipe they are plain, without escape codes.
"""

import json
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

PIPE_WIDTH = 120  # columns of a table that no terminal bounds
# 61,706 or 1x28x28 or 89.20 % (epoch 2) or 5x5x1x6 + 6 = 156
_NUMERIC = re.compile(r"|-|[\d.,x]+( [+=] [\d.,x]+)*( %.*)?")


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
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    title: str | None = None,
    fold: bool = True,
) -> None:
    """A table on stdout; columns whose cells all are numbers stand to the right.

    Unless `fold`, each row is one line whatever the width, the columns stand close together, and
    the words of a column's name stand one below the other.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    if not fold:
        table.padding, table.show_edge = (0, 1, 0, 0), False
    for index, name in enumerate(columns):
        cells = [row[index] for row in rows]
        numeric = bool(cells) and all(_NUMERIC.fullmatch(cell) for cell in cells)
        table.add_column(
            name if fold else name.replace(" ", "\n"),
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=not fold,
        )
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: no markup in what users named
    console = Console()
    room = console.width
    if not fold:
        console.width = sys.maxsize
        console.width = console.measure(table).maximum
        if console.is_terminal and console.width > room:
            say(f"the table is {console.width} columns wide; to scroll it: | less -S")
    elif not console.is_terminal:
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
    """Names and values on stdout, values aligned; a line each, on a terminal as many as needed."""
    width = max(len(name) for name in pairs)
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    for name, value in pairs.items():
        line = f"{name:<{width}}  {value}"
        if 2 * width < room < len(line):
            indent = " " * (width + 2)
            line = textwrap.fill(
                line, room, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
        print(line)


def percent(share: float | None) -> str:
    """A share as per cent, "-" if there is none.

    >>> percent(0.9081)
    '90.81 %'
    """
    return "-" if share is None else f"{100 * share:.2f} %"
