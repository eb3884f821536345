"""Matrices as text: boxed, bracketed, cropped, side by side."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.cli.commands.conv.draw import MAX_ROWS, WIDTH, Matrix, beside, lines_of, number, table


def plain(matrix: Matrix, width: int = WIDTH) -> list[str]:
    return [line.plain for line in lines_of(matrix, width)]


def test_a_box_and_padding_and_marks() -> None:
    matrix = Matrix(
        title="input",
        rows=range(-1, 2),
        columns=range(-1, 2),
        text=lambda row, column: str(10 * row + column if min(row, column) >= 0 else 0),
        box=(range(-1, 1), range(2)),
        marked={(0, 1)},
        size=(2, 2),
    )
    assert plain(matrix) == [
        "input",
        "     +---------+",
        "  (0)| (0)  (0)|",
        "  (0)|   0  [1]|",
        "     +---------+",
        "  (0)   10   11",
    ]


@given(
    st.integers(1, 60), st.integers(1, 60), st.integers(0, 59), st.integers(0, 59),
    st.integers(20, WIDTH), st.integers(1, 8),
)  # fmt: skip
def test_any_matrix_fits_and_shows_its_marked_cell(
    height: int, width: int, row: int, column: int, room: int, digits: int
) -> None:
    row, column = row % height, column % width
    matrix = Matrix(
        title="m",
        rows=range(height),
        columns=range(width),
        text=lambda r, c: "7" * digits,
        box=(range(row, row + 1), range(column, column + 1)),
        marked={(row, column)},
    )
    lines = plain(matrix, room)
    assert all(len(line) <= max(room, 30) for line in lines)
    assert sum("[" in line for line in lines) == 1
    assert (f"(rows {max(0, min(row - MAX_ROWS // 2, height - MAX_ROWS))}" in "".join(lines)) == (
        height > MAX_ROWS
    )


def test_matrices_stand_beside_each_other_only_if_they_fit() -> None:
    def square(size: int) -> Matrix:
        columns = range(size)
        return Matrix(title="m", rows=range(1), columns=columns, text=lambda r, c: "12345")

    assert len(beside(square(3), square(3))) == 2
    wide = beside(square(9), square(9), square(9))
    assert all(line.cell_len <= WIDTH for line in wide)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"), (0.0, "0"), (-0.0, "0"), (1e7, "1e+07"), (9999999.0, "9999999"),
        (0.1 + 0.2, "0.3"), (2 / 3, "0.6667"), (float("nan"), "nan"), (float("-inf"), "-inf"),
        (1e-9, "1e-09"),
    ],
)  # fmt: skip
def test_numbers_are_short(value: float | None, shown: str) -> None:
    assert number(value) == shown


def test_a_table_is_aligned() -> None:
    assert [line.plain for line in table(("a", "bb"), (("1", "2"), ("10", "")))] == [
        "   a  bb",
        "   1   2",
        "  10",
    ]
