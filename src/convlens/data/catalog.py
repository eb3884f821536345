"""The data sets by name, and how a recipe chooses one and splits it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from convlens.core.errors import ConfigError, DataError
from convlens.core.names import Table
from convlens.data.fashion_mnist import CLASS_NAMES, load_fashion_mnist
from convlens.data.image_set import DataSet, ImageSet

NUM_HELD_OUT = 5_000  # the last images of the training set, kept aside for tuning


@dataclass(frozen=True, kw_only=True, slots=True)
class DataEntry:
    """What is known of a data set before it is read."""

    load: Callable[[Path | None], DataSet]
    class_names: tuple[str, ...]
    channels: int
    light_on_dark: bool  # the things shown are lighter than their background
    about: str


DATA_SETS: Table[DataEntry] = Table(
    "data set",
    (
        "fashion-mnist",
        DataEntry(
            load=load_fashion_mnist,
            class_names=CLASS_NAMES,
            channels=1,
            light_on_dark=True,
            about="70,000 grey 28x28 pictures of clothes in 10 classes (inside the package)",
        ),
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """Which images, how they are split, and how a pixel becomes a number."""

    name: str = "fashion-mnist"  # a data set of `convlens data`
    folder: str | None = None  # where its files are; default: inside the package
    validation: Literal["test", "held-out"] = "held-out"  # the test set as the book does,
    # or the last 5,000 training images, which are then not trained on
    max_train_images: PositiveInt | None = None  # train on the first so many only; default: all
    image_size: PositiveInt = 28  # height and width after resizing, pixels
    mean: tuple[NonNegativeFloat, ...] = (0.0,)  # per channel, of pixels in 0..1; subtracted
    std: tuple[PositiveFloat, ...] = (1.0,)  # per channel, of pixels in 0..1; divided by


@dataclass(frozen=True, slots=True)
class Splits:
    """Images to train on, to watch while training, and to report once."""

    train: ImageSet
    validation: ImageSet
    test: ImageSet


def load_data(config: DataConfig) -> DataSet:
    """The data set that `config` names.

    Raises:
        UnknownName: no data set of that name.
        ConfigError: mean and std do not fit its channels, or the folder is in no one's home.
        DataError: its files cannot be used.
    """
    entry = DATA_SETS[config.name]
    for setting, value in (("mean", config.mean), ("std", config.std)):
        if len(value) != entry.channels:
            raise ConfigError(
                f"data.{setting}: needs one number per channel ({entry.channels}), has {len(value)}"
            )
    return entry.load(_folder(config.folder) if config.folder is not None else None)


def split(
    data: DataSet,
    validation: Literal["test", "held-out"],
    *,
    max_train_images: int | None = None,
) -> Splits:
    """Training, validation and test images; held-out images come off the training set's end.

    Of what is left to train on, only the first `max_train_images` are kept.

    Raises:
        DataError: too few training images to hold any out.
    """
    if validation == "test":
        return Splits(_first(data.train, max_train_images), validation=data.test, test=data.test)
    if len(data.train) <= NUM_HELD_OUT:
        raise DataError(
            f"cannot hold out {NUM_HELD_OUT:,} of {len(data.train):,} training images",
            fix="validate on the test set: --set data.validation=test",
        )
    train, held_out = data.train[:-NUM_HELD_OUT], data.train[-NUM_HELD_OUT:]
    return Splits(_first(train, max_train_images), held_out, data.test)


def _first(images: ImageSet, number: int | None) -> ImageSet:
    return images if number is None else images[:number]


def _folder(name: str) -> Path:
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise ConfigError(f"data.folder: {name} is in the home of nobody here") from None
