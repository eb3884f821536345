"""MNIST and Kuzushiji-MNIST: 70,000 grey 28x28 pictures each of ten handwritten characters.

They are fetched into the cache the first time they are asked for. Sizes and SHA-256 of the gzipped
files are those that TensorFlow Datasets publishes,
https://github.com/tensorflow/datasets/tree/master/tensorflow_datasets/url_checksums; for MNIST
many others publish the same.

Source: LeCun et al. (1998), http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf;
Clanuwat et al. (2018), https://arxiv.org/abs/1812.01718 (CC BY-SA 4.0).
"""

from pathlib import Path

from convlens.data.cache import cache_folder
from convlens.data.fetch import Download, fetch, is_whole
from convlens.data.image_set import DataSet
from convlens.data.sets.four_files import NAMES, read_four_files

DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
KANA = ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo")


def _downloads(places: tuple[str, ...], *published: tuple[int, str]) -> tuple[Download, ...]:
    return tuple(
        Download(
            name=f"{name}.gz",
            urls=tuple(f"{place}{name}.gz" for place in places),
            num_bytes=num_bytes,
            sha256=sha256,
        )
        for name, (num_bytes, sha256) in zip(NAMES, published, strict=True)
    )


MNIST_FILES = _downloads(
    (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
)
KMNIST_FILES = _downloads(
    (
        "http://codh.rois.ac.jp/kmnist/dataset/kmnist/",
        "https://codh.rois.ac.jp/kmnist/dataset/kmnist/",
    ),
    (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
    (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
    (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
    (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
)


def load_mnist(folder: Path | None = None) -> DataSet:
    """MNIST from the cache, fetched if it is not there, or from the four files in `folder`.

    Raises:
        DataError: a file is missing, damaged, or not to be had.
    """
    return _load("mnist", MNIST_FILES, DIGITS, folder)


def load_kmnist(folder: Path | None = None) -> DataSet:
    """Kuzushiji-MNIST from the cache, fetched if it is not there, or from `folder`.

    Raises:
        DataError: a file is missing, damaged, or not to be had.
    """
    return _load("kmnist", KMNIST_FILES, KANA, folder)


def _load(
    name: str, files: tuple[Download, ...], class_names: tuple[str, ...], folder: Path | None
) -> DataSet:
    by_name = {download.name: download for download in files}

    def judge(path: Path, md5: str) -> bool | None:
        """Published checksums are of gzipped files; of an unzipped one nothing is known."""
        del md5
        return is_whole(path, by_name[path.name]) if path.suffix == ".gz" else None

    place = cache_folder(name)
    if folder is None:
        fetch(files, place)
    fix = f"name the folder that holds the four files of {name}, or leave data.folder out"
    return read_four_files(folder or place, class_names, judge=judge, fix=fix)
