"""A table of a person's own images: a CSV file of path,label.

path,label              this first line may be left out
a/1.jpg,cat             paths are relative to the folder of the table
b/2.png,dog,test        a third column may say train, val or test
"""

import csv
import io
from pathlib import Path

from convlens.core.errors import DataError
from convlens.data.own.listing import PARTS, Item, Listing, Part, finished, item_of

_HEADERS = (["path", "label"], ["path", "label", "split"])
_FIX = "write one picture a line: path,label"


def list_table(path: Path) -> Listing:
    """The pictures that the CSV file at `path` names.

    Raises:
        DataError: no such file, or a line that cannot be meant; says its number.
    """
    items: list[Item] = []
    lines: dict[str, int] = {}
    for number, row in _rows(path):
        name, label, part = _cells(path, number, row)
        place = path.parent / name
        if not place.exists():
            raise DataError(f"{path}: line {number}: {place}: no such file", fix=_FIX)
        same = str(place.resolve())
        if same in lines:
            raise DataError(f"{path}: line {number}: {name} stands in line {lines[same]} already")
        lines[same] = number
        items.append(item_of(str(place), name, label, part))
    said = {item.part for item in items}
    if None in said and len(said) > 1:
        raise DataError(f"{path}: some lines say train, val or test, and some do not")
    return finished(path, path.parent, items, ())


def _rows(path: Path) -> list[tuple[int, list[str]]]:
    """The rows with their line numbers, without header and empty lines."""
    try:
        text = path.read_text(encoding="utf-8-sig")  # a spreadsheet's mark at the start is no path
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    first = text.partition("\n")[0]
    delimiter = ";" if ";" in first and "," not in first else ","  # as spreadsheets of Europe write
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader if any(row)]
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: {error}") from None
    if rows and [cell.lower() for cell in rows[0][1]] in _HEADERS:
        rows = rows[1:]
    if not rows:
        raise DataError(f"{path}: names no pictures", fix=_FIX)
    return rows


def _cells(path: Path, number: int, row: list[str]) -> tuple[str, str, Part | None]:
    if len(row) not in (2, 3) or not all(row[:2]):
        raise DataError(
            f"{path}: line {number}: expected path,label, found {','.join(row)}", fix=_FIX
        )
    name, label, *said = row
    if not said or not said[0]:
        return name, label, None
    if said[0].lower() not in PARTS:
        raise DataError(f"{path}: line {number}: expected train, val or test, found {said[0]!r}")
    return name, label, PARTS[said[0].lower()]
