"""A table of path,label is read as spreadsheets write it, and wrong lines are named."""

from pathlib import Path

import pytest

from convlens.core.errors import DataError
from convlens.data.own.table import list_table
from tests.data.own.test_listing import parts, touch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four files to be named."""
    return touch(tmp_path, "a/1.png", "a/2.png", "b/1.png", "b, c/1.png")


def write(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "labels.csv"
    path.write_bytes(text.encode(encoding))
    return path


PLAIN = "a/1.png,cat\na/2.png,cat\nb/1.png,dog\n"


@pytest.mark.parametrize(
    "text",
    [
        PLAIN,
        "path,label\n" + PLAIN,
        "Path, Label\n\n" + PLAIN.replace("\n", "\r\n\r\n"),
        PLAIN.replace(",", " , "),
        PLAIN.replace(",", ";"),
        "\ufeff" + PLAIN,
    ],
)
def test_a_table_is_read_with_and_without_a_header(folder: Path, text: str) -> None:
    listing = list_table(write(folder, text))
    assert listing.class_names == ("cat", "dog")
    assert {item.name: item.label for item in listing.items} == {
        "a/1.png": "cat", "a/2.png": "cat", "b/1.png": "dog",
    }  # fmt: skip
    assert listing.root == folder
    assert {item.part for item in listing.items} == {None}


def test_quotes_absolute_paths_and_any_letters(folder: Path) -> None:
    text = f'"b, c/1.png","a, b"\n{folder}/a/1.png,日本\n'
    listing = list_table(write(folder, text))
    assert listing.class_names == ("a, b", "日本")
    assert all(path.is_file() for path in listing.paths())


def test_a_third_column_says_the_part(folder: Path) -> None:
    text = "path,label,split\na/1.png,cat,train\na/2.png,cat,Test\nb/1.png,dog,train\n"
    assert parts(list_table(write(folder, text))) == {
        "a/1.png": "train", "a/2.png": "test", "b/1.png": "train",
    }  # fmt: skip
    val = list_table(write(folder, text.replace("Test", "val")))
    assert parts(val)["a/2.png"] == "test"


REFUSED = [
    ("", "names no pictures"),
    ("path,label\n", "names no pictures"),
    ("a/1.png,cat\na/1.png,dog\n", r"line 2: a/1\.png stands in line 1 already"),
    ("a/1.png,cat\na/../a/1.png,cat\n", "line 2: .* stands in line 1 already"),
    ("a/1.png,cat\n\na/9.png,cat\n", r"line 3: .*a/9\.png: no such file"),
    ("filename,class\na/1.png,cat\n", "line 1: .*filename: no such file"),
    ("a/1.png\n", "line 1: expected path,label, found a/1.png"),
    ("a/1.png,\n", "line 1: expected path,label"),
    ("a/1.png,cat,train,4\n", "line 1: expected path,label"),
    ("a/1.png,cat\na/2.png,cat\n", "one class only, 'cat'"),
    ("a/1.png,cat,learn\n", "line 1: expected train, val or test, found 'learn'"),
    ("a/1.png,cat,train\nb/1.png,dog\n", "some lines say train, val or test, and some do not"),
    ("a/1.png,cat,test\nb/1.png,dog,test\n", "nothing to train on"),
    ("a/1.png,cat\nb/1.png,Cat\n", "class names that look the same: 'Cat', 'cat'"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED)
def test_a_table_that_cannot_be_meant_is_refused(folder: Path, text: str, message: str) -> None:
    path = write(folder, text)
    with pytest.raises(DataError, match=f"^{path}: .*{message}"):
        list_table(path)


def test_text_of_another_encoding_and_a_missing_file_are_named(folder: Path) -> None:
    with pytest.raises(DataError, match=r"not UTF-8 text \(byte 8\)"):
        list_table(write(folder, "a/1.png,\xe9t\xe9\n", "latin-1"))
    with pytest.raises(DataError, match=r"none\.csv: no such file"):
        list_table(folder / "none.csv")
