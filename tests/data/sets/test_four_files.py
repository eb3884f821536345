"""Four IDX files are a data set; whether they are the published ones is for others to judge."""

from pathlib import Path

import pytest

from convlens.core.errors import DataError
from convlens.data.sets.four_files import NAMES, read_four_files
from tests.idx_files import write_small_fashion_mnist

CLASSES = tuple("abcdefghij")


@pytest.mark.parametrize("zipped", [False, True])
def test_each_file_is_judged_by_its_path_and_contents(tmp_path: Path, zipped: bool) -> None:
    write_small_fashion_mnist(tmp_path, zipped=zipped)
    asked: list[str] = []

    def judge(path: Path, md5: str) -> bool | None:
        asked.append(path.name)
        return len(md5) == 32 or None

    data = read_four_files(tmp_path, CLASSES, judge=judge, fix="")
    assert asked == [name + (".gz" if zipped else "") for name in NAMES]
    assert data.official
    assert data.train.class_names == CLASSES
    assert (len(data.train), len(data.test)) == (600, 100)


def test_files_of_which_nothing_is_known_are_not_official(small_folder: Path) -> None:
    data = read_four_files(small_folder, CLASSES, judge=lambda path, md5: None, fix="")
    assert not data.official
    assert [file.official for file in data.files] == [None] * 4


def test_a_missing_file_comes_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="train-images-idx3-ubyte: no such file") as error:
        read_four_files(tmp_path, CLASSES, judge=lambda path, md5: None, fix="look there")
    assert error.value.fix == "look there"
