"""CIFAR is read from its binary archive, by records, and nothing of it is believed."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from convlens.core.errors import DataError
from convlens.data.sets import cifar
from convlens.data.sets.cifar import (
    CIFAR10,
    CIFAR10_NAMES,
    CIFAR100,
    CIFAR100_NAMES,
    load_cifar10,
    load_cifar100,
)

PER_FILE = 4


def records(seed: int, *, label_bytes: int, num_classes: int, count: int = PER_FILE) -> bytes:
    """Records as the data set's page describes them, pixels and labels by chance."""
    chance = np.random.default_rng(seed)
    found = b""
    for _ in range(count):
        labels = [int(chance.integers(0, 20)), int(chance.integers(0, num_classes))]
        found += bytes(labels[2 - label_bytes :]) + chance.bytes(3072)
    return found


def files_of(name: str) -> dict[str, bytes]:
    """The files of a small archive, by their names in it."""
    if name == "cifar-10":
        names = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
        found = {
            f"cifar-10-batches-bin/{name}": records(seed, label_bytes=1, num_classes=10)
            for seed, name in enumerate(names)
        }
        return {"cifar-10-batches-bin/readme.html": b"<html>", **found}
    return {
        f"cifar-100-binary/{name}.bin": records(seed, label_bytes=2, num_classes=100)
        for seed, name in enumerate(["train", "test"])
    }


def write_archive(folder: Path, name: str, files: Mapping[str, bytes]) -> Path:
    path = folder / f"{name}-binary.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for inside, content in files.items():
            member = tarfile.TarInfo(inside)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def test_the_class_names_are_the_published_ones_in_order() -> None:
    assert len(CIFAR10_NAMES) == 10
    assert len(CIFAR100_NAMES) == 100
    for names in (CIFAR10_NAMES, CIFAR100_NAMES):
        assert list(names) == sorted(names)  # as both sets number their classes


def test_a_pixel_of_cifar_10_is_where_the_format_says(tmp_path: Path) -> None:
    files = files_of("cifar-10")
    write_archive(tmp_path, "cifar-10", files)
    data = load_cifar10(tmp_path)
    assert data.train.images.shape == (5 * PER_FILE, 3, 32, 32)
    assert data.test.images.shape == (PER_FILE, 3, 32, 32)
    assert data.train.class_names == CIFAR10_NAMES
    third = files["cifar-10-batches-bin/data_batch_3.bin"]
    image, label = data.train.images[2 * PER_FILE + 1], data.train.labels[2 * PER_FILE + 1]
    record = third[3073 : 2 * 3073]
    assert int(label) == record[0]
    for channel, row, column in ((0, 0, 0), (1, 2, 3), (2, 31, 31)):
        assert int(image[channel, row, column]) == record[1 + 1024 * channel + 32 * row + column]
    assert [file.official for file in data.files] == [False]


def test_the_label_of_cifar_100_is_the_fine_one(tmp_path: Path) -> None:
    files = files_of("cifar-100")
    write_archive(tmp_path, "cifar-100", files)
    data = load_cifar100(tmp_path)
    train = files["cifar-100-binary/train.bin"]
    assert data.train.labels.tolist() == [train[3074 * number + 1] for number in range(PER_FILE)]
    assert int(data.train.images[1, 0, 0, 0]) == train[3074 + 2]
    assert data.train.class_names == CIFAR100_NAMES
    assert len(data.test) == PER_FILE


def test_an_archive_in_the_cache_is_official_and_shown_by_its_md5(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CONVLENS_CACHE", str(tmp_path))
    (tmp_path / "cifar-10").mkdir()
    content = write_archive(tmp_path / "cifar-10", "cifar-10", files_of("cifar-10")).read_bytes()
    here = replace(
        CIFAR10.archive, num_bytes=len(content), sha256=hashlib.sha256(content).hexdigest()
    )
    monkeypatch.setattr(cifar, "CIFAR10", replace(CIFAR10, archive=here))
    data = load_cifar10()
    assert data.official
    assert data.files[0].md5 == hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "a/../../evil", "..\\evil"])
def test_an_archive_that_reaches_out_of_itself_is_refused(tmp_path: Path, name: str) -> None:
    write_archive(tmp_path, "cifar-100", {name: b"evil", **files_of("cifar-100")})
    with pytest.raises(DataError, match="would lie outside of the archive"):
        load_cifar100(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["cifar-100-binary.tar.gz"]


def test_a_link_in_place_of_a_file_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "cifar-100-binary.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("cifar-100-binary/train.bin")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(member)
    with pytest.raises(DataError, match=r"train\.bin is no file of at most"):
        load_cifar100(tmp_path)


def test_a_file_larger_than_any_published_one_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cifar, "_MAX_RECORDS", PER_FILE - 1)
    write_archive(tmp_path, "cifar-100", files_of("cifar-100"))
    with pytest.raises(DataError, match=r"no file of at most 9,222 bytes"):
        load_cifar100(tmp_path)


WRONG = {
    "no multiple of 3,074": b"\0" * 3075,
    "0 bytes": b"",
    "labels run from 100 to 100": bytes([0, 100]) + bytes(3072),
}


@pytest.mark.parametrize("message", WRONG)
def test_a_file_that_holds_no_records_is_named(tmp_path: Path, message: str) -> None:
    files = {**files_of("cifar-100"), "cifar-100-binary/train.bin": WRONG[message]}
    path = write_archive(tmp_path, "cifar-100", files)
    with pytest.raises(DataError, match=rf"^{path}: .*train\.bin.*{message}"):
        load_cifar100(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cifar-100-binary\.tar\.gz: no such file"):
        load_cifar100(tmp_path)
    files = files_of("cifar-100")
    del files["cifar-100-binary/test.bin"]
    write_archive(tmp_path, "cifar-100", files)
    with pytest.raises(DataError, match=r"holds no file test\.bin"):
        load_cifar100(tmp_path)


@pytest.mark.parametrize("keep", [0, 10, 3000, -4000])
def test_a_damaged_archive_is_named(tmp_path: Path, keep: int) -> None:
    path = write_archive(tmp_path, "cifar-100", files_of("cifar-100"))
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=f"^{path}: "):
        load_cifar100(tmp_path)


@pytest.mark.parametrize("edition", [CIFAR10, CIFAR100])
def test_the_binary_edition_is_what_is_downloaded(edition: cifar.Edition) -> None:
    assert edition.archive.name == f"{edition.name}-binary.tar.gz"
    assert all(url.endswith(edition.archive.name) for url in edition.archive.urls)
    assert len(bytes.fromhex(edition.archive.sha256)) == 32
