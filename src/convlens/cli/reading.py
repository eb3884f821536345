"""How the reading of many own images is shown: a bar on a terminal, else one line."""

import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from convlens.cli.console import say

if TYPE_CHECKING:
    from convlens.data.own.progress import Listener, Reading

MANY = 500  # pictures; fewer are read in a few seconds


@contextmanager
def reading(*, as_json: bool = False, quiet: bool = False) -> Generator[None]:
    """Inside, the reading of own images is shown, unless quiet or as JSON."""
    from convlens.data.own.progress import listening

    if quiet or as_json:
        yield
    elif sys.stderr.isatty():
        with bar() as listener, listening(listener):
            yield
    else:
        with listening(plain_line):
            yield


def plain_line(reading: "Reading") -> None:
    """How many are about to be decoded, on a line of stderr."""
    if reading.doing == "decoding" and reading.done == 0 and reading.total >= MANY:
        say(f"decoding the {reading.total:,} pictures of {reading.source}, once")


@contextmanager
def bar() -> Generator["Listener"]:
    """A bar that comes with the first of many pictures and is gone when all is read."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        TextColumn("{task.completed:,} of {task.total:,}{task.fields[unreadable]}"),
        TimeRemainingColumn(),
    )
    shown = Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4)

    def listen(reading: "Reading") -> None:
        if reading.total < MANY:
            return
        if reading.done == 0:
            for task in shown.task_ids:  # what was done before
                shown.remove_task(task)
            description = f"{reading.doing} {reading.source.name}"
            shown.add_task(description, total=reading.total, unreadable="")
            shown.start()
        unreadable = f", {reading.unreadable:,} unreadable" if reading.unreadable else ""
        shown.update(shown.task_ids[0], completed=reading.done, unreadable=unreadable)

    try:
        yield listen
    finally:
        if shown.task_ids:
            shown.stop()
