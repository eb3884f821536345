"""Fashion-MNIST: 70,000 grey 28x28 pictures of clothes in ten classes.

The four official files travel inside the package, so it works offline. The same four files
in a folder of the user's are read too, gzipped or not.

Source: Xiao, Rasul and Vollgraf (2017), https://arxiv.org/abs/1708.07747 (MIT licence).
"""

from pathlib import Path

import torch

from convlens.core.errors import DataError
from convlens.data.idx import read_idx
from convlens.data.image_set import DataSet, FileState, ImageSet

CLASS_NAMES = (
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip

# MD5 of the official files once unzipped; zipping again may change the gzipped bytes.
OFFICIAL_MD5 = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
PACKAGED = Path(__file__).parent / "files" / "fashion-mnist"


def load_fashion_mnist(folder: Path | None = None) -> DataSet:
    """The data set from inside the package, or from the four files in `folder`.

    A file in `folder` may differ from the published one (its `FileState` says so); a packaged
    file may not.

    Raises:
        DataError: a file is missing, damaged, or does not hold 28x28 images and their labels.
    """
    train, train_files = _part("train", folder)
    test, test_files = _part("t10k", folder)
    return DataSet(train=train, test=test, files=train_files + test_files)


def _part(prefix: str, folder: Path | None) -> tuple[ImageSet, tuple[FileState, ...]]:
    images, images_state = _read(f"{prefix}-images-idx3-ubyte", folder)
    labels, labels_state = _read(f"{prefix}-labels-idx1-ubyte", folder)
    try:
        part = ImageSet(images[:, None], labels.long(), CLASS_NAMES)
    except DataError as error:
        raise DataError(f"{labels_state.path}: {error.what}") from None
    return part, (images_state, labels_state)


def _read(name: str, folder: Path | None) -> tuple[torch.Tensor, FileState]:
    path = _find(name, PACKAGED if folder is None else folder)
    found = read_idx(path)
    state = FileState(str(path), found.md5, official=found.md5 == OFFICIAL_MD5[name])
    if folder is None and not state.official:
        raise DataError(
            f"{path}: the MD5 of its contents is {found.md5}, not {OFFICIAL_MD5[name]}",
            fix="install convlens again: a file of the package has changed",
        )
    image_shape = (28, 28) if "images" in name else ()
    shape = found.array.shape
    if found.array.dtype != "uint8" or shape[1:] != image_shape or shape[:1] in {(), (0,)}:
        kind = "28x28 images" if image_shape else "labels"
        raise DataError(
            f"{path}: expected {kind} of type uint8, found {found.array.dtype} of shape {shape}"
        )
    return torch.from_numpy(found.array), state


def _find(name: str, folder: Path) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return path
    raise DataError(
        f"{folder / name}: no such file, nor one ending in .gz",
        fix="name the folder that holds the four Fashion-MNIST files, or leave data.folder out "
        "to use the files inside the package",
    )
