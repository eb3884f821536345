"""CIFAR-10 and CIFAR-100: 60,000 colour 32x32 pictures in 10 or 100 classes.

The binary edition is read: records of one label byte (CIFAR-100: two, the coarse and the fine)
and 3,072 bytes of pixels, all red ones, then green, then blue, row by row. The other edition is of
pickles, which can run any code when they are opened. Nothing of the archive is written to disk.

SHA-256 and sizes are those that TensorFlow Datasets publishes,
https://github.com/tensorflow/datasets/tree/master/tensorflow_datasets/url_checksums; the authors'
own page gives MD5s, shown by `convlens data show`.

Source: Krizhevsky (2009), https://www.cs.toronto.edu/~kriz/learning-features-2009-TR.pdf;
the format: https://www.cs.toronto.edu/~kriz/cifar.html.
"""

import hashlib
import tarfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
import torch

from convlens.core.errors import DataError
from convlens.data.cache import cache_folder
from convlens.data.fetch import Download, fetch, is_whole
from convlens.data.image_set import DataSet, FileState, ImageSet

CIFAR10_NAMES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
CIFAR100_NAMES = (
    "apple", "aquarium fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle",
    "bottle", "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle",
    "caterpillar", "cattle", "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch",
    "crab", "crocodile", "cup", "dinosaur", "dolphin", "elephant", "flatfish", "forest", "fox",
    "girl", "hamster", "house", "kangaroo", "keyboard", "lamp", "lawn mower", "leopard", "lion",
    "lizard", "lobster", "man", "maple tree", "motorcycle", "mountain", "mouse", "mushroom",
    "oak tree", "orange", "orchid", "otter", "palm tree", "pear", "pickup truck", "pine tree",
    "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road",
    "rocket", "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake",
    "spider", "squirrel", "streetcar", "sunflower", "sweet pepper", "table", "tank", "telephone",
    "television", "tiger", "tractor", "train", "trout", "tulip", "turtle", "wardrobe", "whale",
    "willow tree", "wolf", "woman", "worm",
)  # fmt: skip

_PIXELS = (3, 32, 32)
_MAX_RECORDS = 50_000  # in one file, of the published ones


@dataclass(frozen=True, kw_only=True, slots=True)
class Edition:
    """What one of the two data sets is made of."""

    name: str
    archive: Download
    train: tuple[str, ...]  # its files in the archive, without their folder
    test: tuple[str, ...]
    label_bytes: int  # the last of them is the label
    class_names: tuple[str, ...]


def _archive(name: str, num_bytes: int, sha256: str) -> Download:
    places = ("https://www.cs.toronto.edu/~kriz/", "https://cave.cs.toronto.edu/kriz/")
    urls = tuple(place + name for place in places)
    return Download(name=name, urls=urls, num_bytes=num_bytes, sha256=sha256)


CIFAR10 = Edition(
    name="cifar-10",
    archive=_archive(
        "cifar-10-binary.tar.gz",
        170_052_171,
        "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
    ),
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test=("test_batch.bin",),
    label_bytes=1,
    class_names=CIFAR10_NAMES,
)
CIFAR100 = Edition(
    name="cifar-100",
    archive=_archive(
        "cifar-100-binary.tar.gz",
        168_513_733,
        "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
    ),
    train=("train.bin",),
    test=("test.bin",),
    label_bytes=2,
    class_names=CIFAR100_NAMES,
)


def load_cifar10(folder: Path | None = None) -> DataSet:
    """CIFAR-10 from the cache, fetched if it is not there, or from the archive in `folder`.

    Raises:
        DataError: the archive is missing, damaged, or not to be had.
    """
    return _load(CIFAR10, folder)


def load_cifar100(folder: Path | None = None) -> DataSet:
    """CIFAR-100, by its fine labels, from the cache or from the archive in `folder`.

    Raises:
        DataError: the archive is missing, damaged, or not to be had.
    """
    return _load(CIFAR100, folder)


def _load(edition: Edition, folder: Path | None) -> DataSet:
    if folder is None:
        fetch([edition.archive], cache_folder(edition.name))
    path = (folder or cache_folder(edition.name)) / edition.archive.name
    wanted = {*edition.train, *edition.test}
    limit = _MAX_RECORDS * (edition.label_bytes + int(np.prod(_PIXELS)))
    found = dict(_members(path, wanted, limit))
    if missing := sorted(wanted - found.keys()):
        raise DataError(f"{path}: holds no file {', '.join(missing)}")
    train = _images(path, edition, edition.train, found)
    test = _images(path, edition, edition.test, found)
    with path.open("rb") as stream:
        md5 = hashlib.file_digest(stream, "md5").hexdigest()
    state = FileState(str(path), md5, official=folder is None or is_whole(path, edition.archive))
    return DataSet(train=train, test=test, files=(state,))


def _members(path: Path, wanted: set[str], limit: int) -> Iterator[tuple[str, bytes]]:
    """Name and contents of each wanted file of the archive, each at most `limit` bytes."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            for member in archive:
                inside = PurePosixPath(member.name)
                if inside.is_absolute() or ".." in inside.parts or "\\" in member.name:
                    raise DataError(f"{path}: {member.name!r} would lie outside of the archive")
                if inside.name not in wanted:
                    continue
                stream = archive.extractfile(member) if member.isfile() else None
                if stream is None or member.size > limit:
                    raise DataError(f"{path}: {member.name} is no file of at most {limit:,} bytes")
                yield inside.name, stream.read()
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file", fix="name the folder that holds it, or leave data.folder out"
        ) from None
    except DataError:
        raise
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise DataError(f"{path}: not a whole .tar.gz: {error}", fix="get it again") from None


def _images(
    path: Path, edition: Edition, names: tuple[str, ...], found: dict[str, bytes]
) -> ImageSet:
    record = edition.label_bytes + int(np.prod(_PIXELS))
    for name in names:
        size = len(found[name])
        if not size or size % record:
            raise DataError(f"{path}: {name} has {size:,} bytes, no multiple of {record:,}")
    data = np.frombuffer(b"".join(found.pop(name) for name in names), np.uint8)
    records = data.reshape(-1, record)
    labels = torch.from_numpy(records[:, edition.label_bytes - 1].astype(np.int64))
    images = torch.from_numpy(records[:, edition.label_bytes :].reshape(-1, *_PIXELS).copy())
    try:
        return ImageSet(images, labels, edition.class_names)
    except DataError as error:
        raise DataError(f"{path}: {', '.join(names)}: {error.what}") from None
