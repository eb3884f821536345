"""Fashion-MNIST: 70,000 grey 28x28 pictures of clothes in ten classes.

The four official files travel inside the package, so it works offline. The same four files
in a folder of the user's are read too, gzipped or not.

Source: Xiao, Rasul and Vollgraf (2017), https://arxiv.org/abs/1708.07747 (MIT licence).
"""

from pathlib import Path

from convlens.core.errors import DataError
from convlens.data.image_set import DataSet
from convlens.data.sets.four_files import NAMES, read_four_files

CLASS_NAMES = (
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip

# MD5 of the official files once unzipped; zipping again may change the gzipped bytes.
OFFICIAL_MD5: dict[str, str] = dict(
    zip(
        NAMES,
        (
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "9018921c3c673c538a1fc5bad174d6f9",
            "8181f5470baa50b63fa0f6fddb340f0a",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ),
        strict=True,
    )
)
PACKAGED = Path(__file__).parents[1] / "files" / "fashion-mnist"


def load_fashion_mnist(folder: Path | None = None) -> DataSet:
    """The data set from inside the package, or from the four files in `folder`.

    A file in `folder` may differ from the published one (its `FileState` says so); a packaged
    file may not.

    Raises:
        DataError: a file is missing, damaged, or does not hold 28x28 images and their labels.
    """

    def judge(path: Path, md5: str) -> bool:
        published = OFFICIAL_MD5[path.name.removesuffix(".gz")]
        if folder is None and md5 != published:
            raise DataError(
                f"{path}: the MD5 of its contents is {md5}, not {published}",
                fix="install convlens again: a file of the package has changed",
            )
        return md5 == published

    return read_four_files(
        PACKAGED if folder is None else folder,
        CLASS_NAMES,
        judge=judge,
        fix="name the folder that holds the four Fashion-MNIST files, or leave data.folder out "
        "to use the files inside the package",
    )
