"""The settings of a recipe's data: which images, how they are split, what a pixel becomes."""

from dataclasses import dataclass
from typing import Literal

from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt

from convlens.core.config import Fraction
from convlens.data.picture import Fit

Validation = Literal["test", "held-out", "none"]  # which images tell how well a training goes
OWN = "own"  # the name of a person's own images, which no catalog lists


@dataclass(frozen=True, kw_only=True, slots=True)
class DataConfig:
    """Which images, how they are split, and how a pixel becomes a number.

    What a recipe leaves out of image size, mean, std, channels and classes follows from the data.
    """

    name: str = "fashion-mnist"  # a data set of `convlens data`; own: the images in folder
    folder: str | None = None  # where its files are; default: inside the package, or the cache;
    # own: one folder per class in it, or the path of a .csv of path,label
    validation: Validation = "held-out"  # the test set as the book does, or none, or
    # training images that are then not trained on: those in val/ of own images, else the last
    # 5,000, or of fewer than 50,000 the last tenth of each class
    max_train_images: PositiveInt | None = None  # train on the first so many only; default: all
    image_size: PositiveInt = 28  # height and width after resizing, pixels; default: as published,
    # or of own images the median of their shorter sides, at least 28 and at most 64
    mean: tuple[NonNegativeFloat, ...] = (0.0,)  # per channel, of pixels in 0..1; subtracted
    std: tuple[PositiveFloat, ...] = (1.0,)  # per channel, of pixels in 0..1; divided by
    channels: Literal[1, 3] | None = None  # of own images; default: 1 if all are grey, else 3
    classes: tuple[str, ...] | None = None  # of own images, in the order of the network's outputs
    fit: Fit = "crop"  # of own images to a square: crop its middle, squeeze it, or pad it
    corrupt: Literal["refuse", "skip"] = "refuse"  # what is done with own images that are damaged
    test_share: Fraction = 0.2  # of each class of own images that have no test/, at least one
    split_seed: NonNegativeInt = 0  # which of them those are
