"""How a download is shown: one line that moves on a terminal, else a line when a file is there."""

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from convlens.cli.console import say

if TYPE_CHECKING:
    from convlens.data.fetch import Listener, Progress


def download(name: str, *, as_json: bool = False, quiet: bool = False) -> None:
    """Bring the files of the data set `name` into the cache, if it has any to bring.

    Raises:
        UnknownName: no data set of that name.
        DataError: they are not to be had.
    """
    from convlens.data.cache import cache_folder
    from convlens.data.catalog import DATA_SETS
    from convlens.data.fetch import fetch

    fetch(DATA_SETS[name].downloads, cache_folder(name), listen=listener(as_json, quiet))


def listener(as_json: bool, quiet: bool) -> "Listener | None":
    """What is told of a download's progress: nothing if quiet, JSON lines, or words."""
    if quiet:
        return None
    return json_line if as_json else live_line if sys.stderr.isatty() else plain_line


def json_line(progress: "Progress") -> None:
    """A file that is there, as a JSON object on a line of stderr."""
    if progress.num_bytes == progress.total_bytes:
        say(json.dumps({"event": "Downloaded", **asdict(progress)}))


def plain_line(progress: "Progress") -> None:
    """A file that is there, on a line of stderr."""
    if progress.num_bytes == progress.total_bytes:
        say(f"downloaded {progress.name}, {progress.total_bytes / 1e6:.1f} MB, from {progress.url}")


def live_line(progress: "Progress") -> None:
    """How far a file is, on a line that is written over."""
    total = progress.total_bytes
    line = f"\r{progress.name}: {progress.num_bytes / 1e6:.1f} of {total / 1e6:.1f} MB"
    print(line, end="\n" if progress.num_bytes == total else "", file=sys.stderr, flush=True)
