"""A person's own images as a data set: listed, split, decoded, and said what was done.

Source: the layout of one folder per class is torchvision's ImageFolder,
https://docs.pytorch.org/vision/stable/generated/torchvision.datasets.ImageFolder.html.
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import torch

from convlens.core.errors import ConfigError, DataError
from convlens.core.names import suggestion
from convlens.data.config import DataConfig
from convlens.data.image_set import DataSet, FileState, ImageSet
from convlens.data.own.listing import Item, Listing, Part, list_folder
from convlens.data.own.pixels import Decoded, decode, looks
from convlens.data.own.shares import with_parts
from convlens.data.own.table import list_table

_SHOWN = 10  # damaged files that an error lists
_SETTLED = ("channels", "classes", "image_size", "mean", "std")


def settle_own(config: DataConfig, given: frozenset[str]) -> DataConfig:
    """`config` in which all that is not `given` follows from the images, and the path is absolute.

    If all is given, the images are not looked at.

    Raises:
        ConfigError: no folder is named.
        DataError: the images cannot be used.
    """
    config = replace(config, folder=str(place_of(config).absolute()))
    if given.issuperset(_SETTLED):
        return config
    listing = own_listing(config)
    found = looks(listing)
    if "classes" not in given:
        config = replace(config, classes=listing.class_names)
    if "channels" not in given:
        config = replace(config, channels=3 if found.channels == 3 else 1)
    if "image_size" not in given:
        config = replace(config, image_size=found.image_size)
    if not given.issuperset(("mean", "std")):
        means, stds = load_own(config).train.mean_and_std()
        if "mean" not in given:
            config = replace(config, mean=tuple(round(mean, 4) for mean in means))
        if "std" not in given:
            config = replace(config, std=tuple(max(round(std, 4), 1e-4) for std in stds))
    return config


def load_own(config: DataConfig) -> DataSet:
    """The images that a settled `config` names.

    Raises:
        DataError: they cannot be used; says which file, and what to do.
    """
    listing = own_listing(config)
    assert config.channels is not None and config.classes is not None, "not settled"
    for name in listing.class_names:
        if name not in config.classes:
            raise DataError(
                f"{listing.source}: class {name!r} is not one of data.classes; "
                f"{suggestion(name, config.classes)}"
            )
    decoded = decode(listing, channels=config.channels, size=config.image_size, fit=config.fit)
    notes = [*listing.notes, *_corrupt(listing, decoded, config)]
    split = with_parts(listing, config.test_share, config.split_seed)
    if any(item.part is None for item in listing.items):
        notes.append(
            f"no test folder: {config.test_share:.0%} of each class, at least one, are kept for "
            "the test (data.test_share, data.split_seed)".replace("%", " %", 1)
        )
    train, validation, test = (
        _part(part, split, decoded, config.classes) for part in ("train", "validation", "test")
    )
    assert train is not None and test is not None
    state = FileState(str(place_of(config)), decoded.md5, official=None)
    return DataSet(train, test, (state,), validation, tuple(notes))


def own_listing(config: DataConfig) -> Listing:
    """The files of a person's own images, as the folder or the table has them.

    Raises:
        ConfigError: no folder is named.
        DataError: they cannot be listed.
    """
    place = place_of(config)
    if place.is_file():
        if place.suffix.lower() != ".csv":
            raise DataError(f"{place}: neither a folder nor a .csv of path,label")
        return list_table(place)
    return list_folder(place)


def place_of(config: DataConfig) -> Path:
    """The folder or the table that `config` names.

    Raises:
        ConfigError: it names none, or one in nobody's home.
    """
    if not config.folder:
        raise ConfigError("data.folder: must name the folder of your images, or a .csv")
    return home_opened(config.folder)


def home_opened(name: str) -> Path:
    """The path `name`, a leading ~ being a home folder.

    Raises:
        ConfigError: there is no such home.
    """
    try:
        return Path(name).expanduser()
    except RuntimeError:
        raise ConfigError(f"data.folder: {name} is in the home of nobody here") from None


def _corrupt(listing: Listing, decoded: Decoded, config: DataConfig) -> list[str]:
    """Notes on the damaged files; an error if they are not to be skipped."""
    if not decoded.corrupt:
        return []
    lines = [f"{name}: {reason}" for name, reason in sorted(decoded.corrupt.items())]
    more = [f"and {len(lines) - _SHOWN:,} more"] if len(lines) > _SHOWN else []
    if config.corrupt == "refuse":
        raise DataError(
            f"{listing.source}: {len(lines):,} of {len(listing.items):,} pictures cannot be read",
            fix="\n".join(
                [*lines[:_SHOWN], *more, "mend them, or leave them out: --set data.corrupt=skip"]
            ),
        )
    return [f"{len(lines):,} pictures cannot be read and are left out:", *lines[:_SHOWN], *more]


def _part(
    part: Part, listing: Listing, decoded: Decoded, class_names: tuple[str, ...]
) -> ImageSet | None:
    """The readable images of a part; None if there are none and need be none."""
    items = [item for item in listing.items if item.part == part]
    kept = [item for item in items if item.name in decoded.rows]
    if part == "train":
        _refuse_unlearnable(listing.source, items, kept)
    if not kept:
        if part == "test":
            raise DataError(f"{listing.source}: no picture to test on can be read")
        return None
    rows = torch.tensor([decoded.rows[item.name] for item in kept])
    numbers = {name: number for number, name in enumerate(class_names)}
    labels = torch.tensor([numbers[item.label] for item in kept])
    return ImageSet(decoded.images.index_select(0, rows), labels, class_names)


def _refuse_unlearnable(root: Path, items: list[Item], kept: list[Item]) -> None:
    left = Counter(item.label for item in kept)
    for item in items:
        if not left[item.label]:
            raise DataError(f"{root}: no picture of class {item.label!r} to train on can be read")
