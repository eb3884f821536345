"""Matrices as text: a box around the window, brackets around single cells, cropped to fit.

Lines are rich's `Text`: colours where there is a terminal, nothing but text in a pipe.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.console import Console
from rich.text import Text

WIDTH = 80  # columns that every picture fits in
MAX_ROWS = 13  # of a matrix that is shown at once
GAP = 3  # columns between two matrices
_BOX, _MARK, _PADDING = "bold yellow", "bold green", "dim"


@dataclass(frozen=True, kw_only=True, slots=True)
class Matrix:
    """A matrix to draw; rows and columns may start below 0, where the padding is."""

    title: str
    rows: range
    columns: range
    text: Callable[[int, int], str]  # of the cell at a row and a column
    box: tuple[range, range] | None = None  # the rows and columns of the window
    marked: Collection[tuple[int, int]] = ()
    size: tuple[int, int] | None = None  # of what lies inside; the rest is padding


def number(value: float | None) -> str:
    """A number in at most about nine characters: whole numbers whole, others to 4 digits.

    >>> number(19.0), number(-0.0625), number(1 / 3), number(None)
    ('19', '-0.0625', '0.3333', '-')
    """
    if value is None:
        return "-"
    if abs(value) < 1e7 and value == int(value):
        return str(int(value))
    return f"{value:.4g}"


def lines_of(matrix: Matrix, width: int = WIDTH) -> list[Text]:
    """The matrix with its title, at most `width` columns wide."""
    middle = matrix.box or _around(matrix.marked)
    rows = _crop(matrix.rows, middle and middle[0], MAX_ROWS)
    count = min(len(matrix.columns), width // 2)
    while True:
        columns = _crop(matrix.columns, middle and middle[1], count)
        cells = [[_cell(matrix, row, column) for column in columns] for row in rows]
        cell_width = 1 + max(len(cell.plain) for line in cells for cell in line)
        if count == 1 or count * (cell_width + 1) + 1 <= width:
            break
        count -= 1
    lines = [Text(matrix.title, style="bold"), *_boxed(matrix, rows, columns, cells, cell_width)]
    for name, shown, whole in (("rows", rows, matrix.rows), ("columns", columns, matrix.columns)):
        if len(shown) < len(whole):
            note = f"({name} {shown[0]} to {shown[-1]} of {whole[0]} to {whole[-1]})"
            lines.append(Text(note, style="dim"))
    return lines


def beside(*matrices: Matrix) -> list[Text]:
    """Matrices side by side, or below each other where they are too wide for that."""
    blocks = [lines_of(matrix) for matrix in matrices]
    widths = [max(line.cell_len for line in block) for block in blocks]
    if sum(widths) + GAP * (len(widths) - 1) > WIDTH:
        share = (WIDTH - GAP * (len(blocks) - 1)) // len(blocks)
        narrow = [lines_of(matrix, share) for matrix in matrices]
        if any(max(line.cell_len for line in block) > share for block in narrow):
            return [line for block in blocks for line in (*block, Text())][:-1]
        blocks, widths = narrow, [share] * len(narrow)
    joined: list[Text] = []
    for parts in zip_longest(*blocks, fillvalue=Text()):
        line = Text()
        for part, width in zip(parts, widths, strict=True):
            line += part + Text(" " * (width - part.cell_len + GAP))
        line.rstrip()
        joined.append(line)
    return joined


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[Text]:
    """Rows of cells under their heads, columns aligned."""
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]
    return [Text("  " + lines[0], style="bold"), *(Text("  " + line) for line in lines[1:])]


def show(lines: Sequence[Text]) -> None:
    """The lines on stdout."""
    console = Console(highlight=False)
    for line in lines:
        console.print(line, soft_wrap=True)


def _cell(matrix: Matrix, row: int, column: int) -> Text:
    text, style = matrix.text(row, column), ""
    if matrix.size is not None:
        height, width = matrix.size
        if not (0 <= row < height and 0 <= column < width):
            text, style = f"({text})", _PADDING
    if (row, column) in matrix.marked:
        text, style = f"[{text}]", _MARK
    return Text(text, style=style)


def _boxed(
    matrix: Matrix, rows: range, columns: range, cells: list[list[Text]], width: int
) -> list[Text]:
    boxed_rows, boxed_columns = matrix.box or (range(0), range(0))
    inside = [index for index, column in enumerate(columns) if column in boxed_columns]
    first, last = (inside[0], inside[-1]) if inside else (-1, -1)
    border = Text(" " * first * (width + 1), style=_BOX) if inside else Text()
    if inside:
        border += Text("+" + "-" * ((last - first + 1) * (width + 1) - 1) + "+", style=_BOX)
    lines: list[Text] = []
    for row, line in zip(rows, cells, strict=True):
        held = bool(inside) and row in boxed_rows
        if held and row == max(boxed_rows[0], rows[0]):
            lines.append(border)
        text = Text()
        for index, cell in enumerate(line):
            edge = held and index in (first, last + 1)
            text += Text("|" if edge else " ", style=_BOX if edge else "")
            text += Text(" " * (width - cell.cell_len)) + cell
        if held and last + 1 == len(line):
            text += Text("|", style=_BOX)
        lines.append(text)
        if held and row == min(boxed_rows[-1], rows[-1]):
            lines.append(border)
    return lines


def _crop(whole: range, middle: range | None, count: int) -> range:
    """`count` of the whole, around the middle as far as the ends let it."""
    if len(whole) <= count:
        return whole
    centre = (middle[0] + middle[-1]) // 2 if middle else whole[0]
    start = min(max(centre - count // 2, whole[0]), whole[-1] + 1 - count)
    return range(start, start + count)


def _around(marked: Collection[tuple[int, int]]) -> tuple[range, range] | None:
    if not marked:
        return None
    rows, columns = zip(*marked, strict=True)
    return range(min(rows), max(rows) + 1), range(min(columns), max(columns) + 1)
