"""The data sets by name, and how a recipe chooses one and splits it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from convlens.core.config import SettingsTable
from convlens.core.errors import ConfigError, DataError, UnknownName
from convlens.core.names import Table
from convlens.core.shapes import Labels
from convlens.data.cache import cache_folder
from convlens.data.config import OWN, DataConfig, Validation
from convlens.data.fetch import Download
from convlens.data.image_set import DataSet, ImageSet
from convlens.data.own.load import home_opened, load_own, settle_own
from convlens.data.picture import Fit
from convlens.data.sets.cifar import CIFAR10, CIFAR100, load_cifar10, load_cifar100
from convlens.data.sets.fashion_mnist import CLASS_NAMES, load_fashion_mnist
from convlens.data.sets.mnist import (
    DIGITS,
    KANA,
    KMNIST_FILES,
    MNIST_FILES,
    load_kmnist,
    load_mnist,
)

NUM_HELD_OUT = 5_000  # the last images of the training set, kept aside for tuning
HELD_OUT_SHARE = 10  # of fewer than 50,000 images the tenth part of each class instead


@dataclass(frozen=True, kw_only=True, slots=True)
class DataEntry:
    """What is known of a data set before it is read."""

    load: Callable[[Path | None], DataSet]
    class_names: tuple[str, ...]
    channels: int
    image_size: int  # height and width as published, pixels
    light_on_dark: bool  # the things shown are lighter than their background
    downloads: tuple[Download, ...] = ()  # none: inside the package
    about: str


DATA_SETS: Table[DataEntry] = Table(
    "data set",
    (
        "fashion-mnist",
        DataEntry(
            load=load_fashion_mnist,
            class_names=CLASS_NAMES,
            channels=1,
            image_size=28,
            light_on_dark=True,
            about="70,000 grey 28x28 pictures of clothes in 10 classes (inside the package)",
        ),
    ),
    (
        "mnist",
        DataEntry(
            load=load_mnist,
            class_names=DIGITS,
            channels=1,
            image_size=28,
            light_on_dark=True,
            downloads=MNIST_FILES,
            about="70,000 grey 28x28 pictures of handwritten digits (11.6 MB to download)",
        ),
    ),
    (
        "kmnist",
        DataEntry(
            load=load_kmnist,
            class_names=KANA,
            channels=1,
            image_size=28,
            light_on_dark=True,
            downloads=KMNIST_FILES,
            about="70,000 grey 28x28 pictures of 10 cursive Japanese characters "
            "(21.2 MB to download)",
        ),
    ),
    (
        "cifar-10",
        DataEntry(
            load=load_cifar10,
            class_names=CIFAR10.class_names,
            channels=3,
            image_size=32,
            light_on_dark=False,
            downloads=(CIFAR10.archive,),
            about="60,000 colour 32x32 photographs in 10 classes (170.1 MB to download)",
        ),
    ),
    (
        "cifar-100",
        DataEntry(
            load=load_cifar100,
            class_names=CIFAR100.class_names,
            channels=3,
            image_size=32,
            light_on_dark=False,
            downloads=(CIFAR100.archive,),
            about="60,000 colour 32x32 photographs in 100 classes (168.5 MB to download)",
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Nature:
    """What a network must know of the images it is fed."""

    class_names: tuple[str, ...]
    channels: int
    light_on_dark: bool
    fit: Fit  # how any other picture is made as square as these


@dataclass(frozen=True, slots=True)
class Splits:
    """Images to train on, to watch while training, and to report once."""

    train: ImageSet
    validation: ImageSet
    test: ImageSet


def nature(config: DataConfig) -> Nature:
    """What the images that a settled `config` names are like; they are not looked at.

    Raises:
        UnknownName: no data set of that name.
    """
    if config.name == OWN:
        assert config.classes is not None and config.channels is not None, "not settled"
        return Nature(config.classes, config.channels, light_on_dark=False, fit=config.fit)
    entry = DATA_SETS[config.name]
    return Nature(entry.class_names, entry.channels, entry.light_on_dark, fit="pad")


def settle(config: DataConfig, given: frozenset[str]) -> DataConfig:
    """`config` with every setting that was not `given` as the data have it, and the path absolute.

    Of own images that means to look at them, unless everything was given.

    Raises:
        UnknownName: no data set of that name.
        ConfigError: a setting that only own images have, or a folder in nobody's home.
        DataError: own images that cannot be used.
    """
    if config.name == OWN:
        return settle_own(config, given)
    entry = DATA_SETS[config.name]
    for setting in ("channels", "classes"):
        if setting in given:
            raise ConfigError(f"data.{setting}: {config.name} has its own; this is of own images")
    if config.folder is not None:
        config = replace(config, folder=str(home_opened(config.folder).absolute()))
    if "image_size" not in given:
        config = replace(config, image_size=entry.image_size)
    if "mean" not in given:
        config = replace(config, mean=(0.0,) * entry.channels)
    if "std" not in given:
        config = replace(config, std=(1.0,) * entry.channels)
    return config


def choose(wanted: str, before: Mapping[str, Any], folder: str | None = None) -> SettingsTable:
    """A recipe's data section for other data: a data set's name, a folder, or a .csv.

    Image size, mean and standard deviation will be those of the data; how to validate, and on how
    many images to train, stays as it was `before`. The same data set as before changes nothing. A
    published data set is measured in `folder`, if its files are not where they usually are.

    Raises:
        UnknownName: neither a data set nor a folder.
        DataError: a data set that cannot be used.
    """
    if wanted == before.get("name", DataConfig().name) and "folder" not in before:
        return dict(before)
    kept = {key: before[key] for key in ("validation", "max_train_images") if key in before}
    if wanted in DATA_SETS:
        place = None if folder is None else home_opened(folder)
        means, stds = DATA_SETS[wanted].load(place).train.mean_and_std()
        normalised = {
            "mean": [round(mean, 4) for mean in means],
            "std": [round(std, 4) for std in stds],
        }
        return {"name": wanted, **kept, **normalised}
    return {"name": OWN, "folder": str(own_place(wanted)), **kept}


def own_place(wanted: str) -> Path:
    """The folder or file at the path `wanted`, absolute.

    Raises:
        DataError: a path at which nothing is.
        UnknownName: no path, nor a data set.
    """
    place = home_opened(wanted).absolute()
    if place.exists():
        return place
    if "/" in wanted or "\\" in wanted or wanted.endswith(".csv"):
        raise DataError(f"{place}: no such folder or file")
    try:
        DATA_SETS[wanted]
    except UnknownName as error:
        raise UnknownName(error.what, fix=f"nor is there a folder or file {place}") from None
    return place


def load_data(config: DataConfig) -> DataSet:
    """The data set that `config` names; what is not on this machine yet is downloaded.

    Raises:
        UnknownName: no data set of that name.
        ConfigError: mean and std do not fit its channels, or the folder is in no one's home.
        DataError: its files cannot be used, or had.
    """
    channels = nature(config).channels
    for setting, value in (("mean", config.mean), ("std", config.std)):
        if len(value) != channels:
            raise ConfigError(
                f"data.{setting}: needs one number per channel ({channels}), has {len(value)}"
            )
    if config.name == OWN:
        return load_own(config)
    folder = home_opened(config.folder) if config.folder is not None else None
    return DATA_SETS[config.name].load(folder)


def where(name: str) -> str:
    """Where a data set is now: inside the package, in the cache, or to be downloaded."""
    downloads = DATA_SETS[name].downloads
    if not downloads:
        return "inside the package"
    folder = cache_folder(name)
    sizes = {file.name: file.num_bytes for file in downloads}
    if all(_size(folder / file) == size for file, size in sizes.items()):
        return str(folder)
    return f"to be downloaded, {sum(sizes.values()) / 1e6:.1f} MB"


def split(
    data: DataSet,
    validation: Validation,
    *,
    max_train_images: int | None = None,
) -> Splits:
    """Training, validation and test images.

    Held out are the images set apart for it, if the data set has such; else the last 5,000 of the
    training set, or of one with fewer than 50,000 the last tenth of each class, at least one.
    With "none" the validation images are a set without any.

    Of what is left to train on, only the first `max_train_images` are kept.

    Raises:
        DataError: too few training images to hold any out.
    """
    if validation != "held-out":
        watched = data.test if validation == "test" else data.test[:0]
        return Splits(_first(data.train, max_train_images), validation=watched, test=data.test)
    train, held_out = _held_out(data)
    return Splits(_first(train, max_train_images), held_out, data.test)


def _first(images: ImageSet, number: int | None) -> ImageSet:
    return images if number is None else images[:number]


def _held_out(data: DataSet) -> tuple[ImageSet, ImageSet]:
    """What is trained on, and what is held out for tuning."""
    if data.validation is not None:
        return data.train, data.validation
    if len(data.train) >= NUM_HELD_OUT * HELD_OUT_SHARE:
        return data.train[:-NUM_HELD_OUT], data.train[-NUM_HELD_OUT:]
    held_out = _last_of_each_class(data.train.labels)
    if not held_out.any():
        raise DataError(
            f"cannot hold out any of {len(data.train):,} training images: no class has two",
            fix="validate on the test set: --set data.validation=test",
        )
    return _chosen(data.train, ~held_out), _chosen(data.train, held_out)


def _last_of_each_class(labels: Labels) -> torch.Tensor:
    """True for the last tenth of the images of each class, at least one of two."""
    held_out = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        (positions,) = torch.nonzero(labels == label, as_tuple=True)
        count = max(len(positions) // HELD_OUT_SHARE, 1 if len(positions) > 1 else 0)
        held_out[positions[len(positions) - count :]] = True
    return held_out


def _chosen(images: ImageSet, chosen: torch.Tensor) -> ImageSet:
    (rows,) = torch.nonzero(chosen, as_tuple=True)
    return replace(images, images=images.images[rows], labels=images.labels[rows])


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else -1
