"""The lines of `metrics.jsonl`: one JSON object per event, in the order they happened.

The first line is `{"event": "Schema", "version": 1}`. Every other line has `event`, its
name, and the event's fields (see `train/events.py`). Times end in `seconds` or `per_second`;
all else is the same for the same seed. A process that is killed may leave half a line at the
end, which readers skip.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from convlens.core.errors import RunError

SCHEMA_VERSION = 1
SCHEMA_LINE = {"event": "Schema", "version": SCHEMA_VERSION}
Record = dict[str, Any]


def append(path: Path, event: str, fields: Mapping[str, Any]) -> None:
    """Add one line; the file is opened anew, so a killed process loses no earlier line."""
    lines = [] if path.exists() else [SCHEMA_LINE]
    lines.append({"event": event, **fields})
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(line) + "\n" for line in lines)


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
