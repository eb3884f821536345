"""Matrices are read as written, and what is none is refused by name."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from convlens.core.errors import ConfigError, DataError
from convlens.data.matrix import is_numbers, parse_matrix, read_matrix

matrices = st.tuples(st.integers(1, 4), st.integers(1, 4)).flatmap(
    lambda size: st.lists(
        st.lists(st.floats(allow_nan=False), min_size=size[1], max_size=size[1]),
        min_size=size[0],
        max_size=size[0],
    )
)


@given(matrices)
def test_what_is_written_is_read(rows: list[list[float]]) -> None:
    for between in (" ", ", ", ",", "\t"):
        text = ";".join(between.join(map(repr, row)) for row in rows)
        assert is_numbers(text)
        assert parse_matrix(text, "--input").tolist() == rows


@given(st.lists(matrices, min_size=1, max_size=1).map(lambda rows: rows * 3))
def test_nested_lists_and_bars_are_channels(channels: list[list[list[float]]]) -> None:
    finite = torch.tensor(channels, dtype=torch.float64).nan_to_num(posinf=1, neginf=1)
    assert torch.equal(parse_matrix(json.dumps(finite.tolist()), "--input"), finite)
    text = " | ".join(
        "; ".join(" ".join(map(repr, row)) for row in rows) for rows in finite.tolist()
    )
    assert torch.equal(parse_matrix(text, "--input"), finite)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("0 1; 2", "different length"),
        ("1 | 2 3", "different length"),
        ("[[1, 2], [3]]", "different length"),
        ("[[1, 2]", "nested lists with a mistake"),
        ("0 1 x; 2 3 4", "'x' is not a number"),
        ("1-2", "'1-2' is not a number"),
        (";", "holds no numbers"),
        ("[]", "holds no numbers"),
    ],
)
def test_what_makes_no_matrix_is_refused(text: str, rule: str) -> None:
    with pytest.raises(ConfigError, match=f"--input: .*{rule}"):
        read_matrix(text, "--input")


def test_files_of_every_kind(tmp_path: Path) -> None:
    rows = [[0.0, 1.5], [2.0, -3.0]]
    (tmp_path / "a.csv").write_text("0,1.5\n2,-3\n")
    (tmp_path / "a.txt").write_text("0 1.5\r\n2 -3\r\n\r\n4 5\r\n6 7\r\n")
    np.save(tmp_path / "a.npy", np.array(rows, dtype=np.float32))
    assert read_matrix(str(tmp_path / "a.csv"), "--input").tolist() == rows
    assert read_matrix(str(tmp_path / "a.txt"), "--input").tolist() == [rows, [[4, 5], [6, 7]]]
    assert read_matrix(str(tmp_path / "a.npy"), "--input").tolist() == rows
    Image.fromarray(np.array([[0, 255]], dtype=np.uint8)).save(tmp_path / "grey.png")
    Image.new("RGB", (2, 1), (1, 2, 3)).save(tmp_path / "colour.png")
    assert read_matrix(str(tmp_path / "grey.png"), "--input").tolist() == [[[0, 255]]]
    colour = read_matrix(str(tmp_path / "colour.png"), "--input")
    assert colour.tolist() == [[[1, 1]], [[2, 2]], [[3, 3]]]


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object), allow_pickle=True)
    np.save(tmp_path / "complex.npy", np.array([[1j]]))
    np.save(tmp_path / "empty.npy", np.zeros((0, 3)))
    (tmp_path / "short.npy").write_bytes(b"\x93NUMPY")
    (tmp_path / "words.csv").write_text("height,width\n1,2\n")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    (tmp_path / "fake.png").write_text("no picture")
    for name in ("objects.npy", "complex.npy", "empty.npy", "short.npy", "words.csv",
                 "bytes.txt", "fake.png"):  # fmt: skip
        with pytest.raises(DataError, match=name):
            read_matrix(str(tmp_path / name), "--input")
    with pytest.raises(DataError, match=r"--input 'missing\.png': no such file"):
        read_matrix("missing.png", "--input")
