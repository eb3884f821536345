"""Fashion-MNIST is the published one, and a folder of the user's is read as strictly."""

import gzip
import hashlib
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch

from convlens.core.errors import DataError
from convlens.data.image_set import DataSet
from convlens.data.sets import fashion_mnist
from convlens.data.sets.fashion_mnist import CLASS_NAMES, OFFICIAL_MD5, PACKAGED, load_fashion_mnist
from tests.idx_files import encode, learnable, write_small_fashion_mnist

PUBLISHED = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the user's own, to be damaged."""
    return write_small_fashion_mnist(tmp_path)


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_packaged_files_are_the_published_ones(name: str) -> None:
    data = gzip.decompress((PACKAGED / f"{name}.gz").read_bytes())
    assert hashlib.md5(data, usedforsecurity=False).hexdigest() == PUBLISHED[name]
    assert OFFICIAL_MD5[name] == PUBLISHED[name]


def test_the_licence_and_the_source_stand_beside_the_files() -> None:
    assert "Zalando" in (PACKAGED / "LICENSE").read_text()
    assert "zalandoresearch/fashion-mnist" in (PACKAGED / "README.md").read_text()


def test_there_are_as_many_images_of_every_class(fashion_mnist: DataSet) -> None:
    for part, per_class in ((fashion_mnist.train, 6_000), (fashion_mnist.test, 1_000)):
        assert part.images.shape == (10 * per_class, 1, 28, 28)
        assert torch.bincount(part.labels).tolist() == [per_class] * 10
        assert part.class_names == CLASS_NAMES


def test_its_mean_and_standard_deviation_are_the_known_ones(fashion_mnist: DataSet) -> None:
    (mean,), (std,) = fashion_mnist.train.mean_and_std()
    assert (round(mean, 4), round(std, 4)) == (0.2860, 0.3530)


def test_the_packaged_set_is_official(fashion_mnist: DataSet) -> None:
    assert fashion_mnist.official
    assert [file.md5 for file in fashion_mnist.files] == list(PUBLISHED.values())


def test_official_files_are_official_in_any_folder_zipped_or_not(tmp_path: Path) -> None:
    for name in PUBLISHED:
        shutil.copy(PACKAGED / f"{name}.gz", tmp_path)
    labels = tmp_path / "t10k-labels-idx1-ubyte.gz"
    labels.with_suffix("").write_bytes(gzip.decompress(labels.read_bytes()))
    labels.unlink()
    data = load_fashion_mnist(tmp_path)
    assert data.official
    assert data.files[3].path == str(labels.with_suffix(""))


@pytest.mark.parametrize("zipped", [False, True])
def test_the_four_files_of_a_users_folder_are_read(tmp_path: Path, zipped: bool) -> None:
    data = load_fashion_mnist(write_small_fashion_mnist(tmp_path, zipped=zipped))
    images, labels = learnable(600, seed=1)
    assert np.array_equal(data.train.images[:, 0].numpy(), images)
    assert np.array_equal(data.train.labels.numpy(), labels)
    assert len(data.test) == 100
    assert not data.official


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(DataError, match=rf"{name}: no such file, nor one ending in \.gz") as error:
        load_fashion_mnist(folder)
    assert "data.folder" in error.value.fix


def test_a_missing_folder_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nowhere/train-images-idx3-ubyte: no such file"):
        load_fashion_mnist(tmp_path / "nowhere")


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_truncated_file_is_named(folder: Path, name: str) -> None:
    data = (folder / name).read_bytes()
    (folder / name).write_bytes(data[:-1])
    with pytest.raises(DataError, match=f"{name}: at byte 4: "):
        load_fashion_mnist(folder)


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
WRONG = [
    (IMAGES, np.zeros((600, 28, 27), "u1"), r"28x28 images of type uint8, found uint8 of shape"),
    (IMAGES, np.zeros((600, 784), "u1"), r"28x28 images .* of shape \(600, 784\)"),
    (IMAGES, np.zeros((600, 28, 28), "f4"), "28x28 images of type uint8, found float32"),
    (IMAGES, np.zeros((0, 28, 28), "u1"), r"28x28 images .* of shape \(0, 28, 28\)"),
    (LABELS, np.zeros((600, 1), "u1"), r"labels of type uint8, found uint8 of shape \(600, 1\)"),
    (LABELS, np.zeros(600, "i1"), "labels of type uint8, found int8"),
    (LABELS, np.zeros((), "u1"), r"labels .* of shape \(\)"),
    (LABELS, np.zeros(0, "u1"), r"labels .* of shape \(0,\)"),
    (LABELS, np.zeros(599, "u1"), "600 images but 599 labels"),
    (LABELS, np.arange(600).astype("u1") % 11, "labels run from 0 to 10, but there are 10"),
]


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(("name", "array", "message"), WRONG)
def test_a_file_that_holds_something_else_is_named(
    folder: Path,
    name: str,
    array: npt.NDArray[Any],
    message: str,
) -> None:
    (folder / name).write_bytes(encode(array))
    with pytest.raises(DataError, match=f"{name}: .*{message}"):
        load_fashion_mnist(folder)


def test_a_packaged_file_that_has_changed_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fashion_mnist, "PACKAGED", folder)
    with pytest.raises(DataError, match=f"{IMAGES}: the MD5 of its contents is .*, not f4a8712d7a"):
        load_fashion_mnist()
