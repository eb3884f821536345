"""The lines of `metrics.jsonl`: one JSON object per event, in the order they happened.

The first line is `{"event": "Schema", "version": 1}`. Every other line has `event`, its
name, and the event's fields (see `train/events.py`). Times end in `seconds` or `per_second`;
all else is the same for the same seed. A process that is killed may leave half a line at the
end, which readers skip and the next writer cuts off.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from convlens.core.errors import RunError

SCHEMA_VERSION = 1
SCHEMA_LINE = {"event": "Schema", "version": SCHEMA_VERSION}
Record = dict[str, Any]
_BLOCK = 4_096  # bytes looked at together for a line's end


def append(path: Path, event: str, fields: Mapping[str, Any]) -> None:
    """Add one line; the file is opened anew, so a killed process loses no earlier line."""
    with path.open("a+b") as file:
        end = _end_of_last_line(file)
        lines = [] if end else [SCHEMA_LINE]
        lines.append({"event": event, **fields})
        file.truncate(end)
        file.write("".join(json.dumps(line) + "\n" for line in lines).encode())


def cut(path: Path, num_records: int) -> None:
    """Keep the schema line and the first `num_records` events, and see them onto the disk.

    Raises:
        RunError: there are fewer.
    """
    if num_records == 0:
        path.unlink(missing_ok=True)
        return
    found = len(read(path))
    if found < num_records:
        raise RunError(f"{path}: {found} events, but {num_records} had been written")
    with path.open("r+b") as file:
        for _ in range(1 + num_records):
            file.readline()
        file.truncate(file.tell())
        os.fsync(file.fileno())


def sync(path: Path) -> None:
    """See every line so far onto the disk."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _end_of_last_line(file: BinaryIO) -> int:
    """The place after the last line's end, in bytes; what follows is half a line."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(end - _BLOCK, 0)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def read(path: Path) -> list[Record]:
    """The events in the file, without the schema line; none if there is no file yet.

    Raises:
        RunError: a line that is not JSON (but the last), or a newer schema.
    """
    if not path.exists():
        return []
    lines = path.read_bytes().split(b"\n")
    lines.pop()  # what follows the last line's end: nothing, or half a line of a killed writer
    records: list[Record] = []
    for number, line in enumerate(lines, start=1):
        try:
            found: Any = json.loads(line)
        except (json.JSONDecodeError, UnicodeDecodeError):
            raise RunError(f"{path}: line {number} is not JSON") from None
        if not isinstance(found, dict):
            raise RunError(f"{path}: line {number} is not an event")
        records.append(found)
    if records and records[0] != SCHEMA_LINE:
        raise RunError(
            f"{path}: line 1 is {records[0]}, not {SCHEMA_LINE}",
            fix="it was written by another version of ConvLens",
        )
    return records[1:]


def without_times(records: list[Record]) -> list[Record]:
    """The records without their times: equal for two runs with the same seed."""
    return [
        {key: value for key, value in record.items() if not key.endswith(("seconds", "per_second"))}
        for record in records
    ]
