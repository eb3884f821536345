"""MNIST and KMNIST come by download, checked; a folder of the user's is read as it is."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from convlens.core.errors import DataError
from convlens.data.fetch import Download
from convlens.data.image_set import DataSet
from convlens.data.sets import mnist
from convlens.data.sets.mnist import (
    DIGITS,
    KANA,
    KMNIST_FILES,
    MNIST_FILES,
    load_kmnist,
    load_mnist,
)
from tests.idx_files import write_small_fashion_mnist

LOADERS = [(load_mnist, "mnist", DIGITS), (load_kmnist, "kmnist", KANA)]


@pytest.mark.parametrize("files", [MNIST_FILES, KMNIST_FILES])
def test_every_file_has_two_places_and_a_checksum(files: tuple[Download, ...]) -> None:
    assert [file.name[:5] for file in files] == ["train", "train", "t10k-", "t10k-"]
    for file in files:
        assert len(file.urls) == 2
        assert all(url.endswith(f"/{file.name}") for url in file.urls)
        assert len(bytes.fromhex(file.sha256)) == 32


def test_no_two_files_are_the_same() -> None:
    assert len({file.sha256 for file in MNIST_FILES + KMNIST_FILES}) == 8


@pytest.mark.parametrize(("load", "name", "class_names"), LOADERS)
def test_a_folder_is_read_and_known_not_to_be_the_published_one(
    tmp_path: Path,
    load: Callable[[Path | None], DataSet],
    name: str,
    class_names: tuple[str, ...],
) -> None:
    data = load(write_small_fashion_mnist(tmp_path, zipped=True))
    assert data.train.class_names == class_names
    assert len(data.train) == 600
    assert [file.official for file in data.files] == [False] * 4
    with pytest.raises(DataError, match="no such file") as error:
        load(tmp_path / "nowhere")
    assert f"the four files of {name}" in error.value.fix


def test_of_unzipped_files_it_is_not_known(small_folder: Path) -> None:
    assert [file.official for file in load_mnist(small_folder).files] == [None] * 4


def test_the_cache_is_read_without_a_connection_if_it_is_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path))
    folder = tmp_path / "mnist"
    folder.mkdir()
    write_small_fashion_mnist(folder, zipped=True)
    here = tuple(
        Download(
            name=file.name,
            urls=("http://127.0.0.1:9/nothing",),
            num_bytes=(folder / file.name).stat().st_size,
            sha256=hashlib.sha256((folder / file.name).read_bytes()).hexdigest(),
        )
        for file in MNIST_FILES
    )
    monkeypatch.setattr(mnist, "MNIST_FILES", here)
    assert load_mnist().official
    (folder / here[3].name).unlink()
    with pytest.raises(DataError, match=f"cannot download {here[3].name}") as error:
        load_mnist()
    assert f"put it into {folder}" in error.value.fix
