"""The four IDX files that MNIST and all its successors come in.

Source: Y. LeCun, C. Cortes, C. Burges, "The MNIST database", https://yann.lecun.org/exdb/mnist/.
"""

from collections.abc import Callable
from pathlib import Path

import torch

from convlens.core.errors import DataError
from convlens.data.idx import read_idx
from convlens.data.image_set import DataSet, FileState, ImageSet

NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
# From a file's path and the MD5 of its unzipped contents: is it the published one; None: unknown.
Judge = Callable[[Path, str], bool | None]


def read_four_files(
    folder: Path, class_names: tuple[str, ...], *, judge: Judge, fix: str
) -> DataSet:
    """The data set of the four files in `folder`, each gzipped or not.

    Args:
        fix: what to do where a file is missing.

    Raises:
        DataError: a file is missing, damaged, or does not hold 28x28 images and their labels.
    """
    parts: list[ImageSet] = []
    states: list[FileState] = []
    for images_name, labels_name in (NAMES[:2], NAMES[2:]):
        images, images_state = _read(images_name, folder, judge, fix)
        labels, labels_state = _read(labels_name, folder, judge, fix)
        try:
            parts.append(ImageSet(images[:, None], labels.long(), class_names))
        except DataError as error:
            raise DataError(f"{labels_state.path}: {error.what}") from None
        states += [images_state, labels_state]
    train, test = parts
    return DataSet(train=train, test=test, files=tuple(states))


def _read(name: str, folder: Path, judge: Judge, fix: str) -> tuple[torch.Tensor, FileState]:
    path = _find(name, folder, fix)
    found = read_idx(path)
    state = FileState(str(path), found.md5, official=judge(path, found.md5))
    image_shape = (28, 28) if "images" in name else ()
    shape = found.array.shape
    if found.array.dtype != "uint8" or shape[1:] != image_shape or shape[:1] in {(), (0,)}:
        kind = "28x28 images" if image_shape else "labels"
        raise DataError(
            f"{path}: expected {kind} of type uint8, found {found.array.dtype} of shape {shape}"
        )
    return torch.from_numpy(found.array), state


def _find(name: str, folder: Path, fix: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return path
    raise DataError(f"{folder / name}: no such file, nor one ending in .gz", fix=fix)
