"""A recipe's settings as keyword arguments: `lr`, `model__activation`, `augment__flip`.

The double underscore is the dot. Settings of `[train]` also go by their bare names. What follows
from the images (channels, classes, where they are) is no setting here.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from convlens.core.config import SettingsTable, read_toml
from convlens.core.errors import ConfigError
from convlens.core.names import nearest
from convlens.data.augment.settings import AugmentConfig
from convlens.data.config import OWN
from convlens.data.image_set import ImageSet
from convlens.experiment.recipe import Recipe, resolve, shipped_recipes
from convlens.experiment.small import difference, suited
from convlens.models.catalog import MODELS
from convlens.train.optim import TrainConfig

_OF_DATA = ("image_size", "mean", "std")  # of [data]
_FROM_DATA = ("in_channels", "num_classes", "image_size")  # of [model]: they follow the data


def check_names(recipe: str, settings: Mapping[str, Any]) -> None:
    """Refuse settings that the recipe does not have.

    Raises:
        UnknownName, ConfigError: no such recipe or model; an unknown setting, or one said twice.
    """
    base = _base(recipe)
    model = settings.get("model__name", base.get("model", {}).get("name"))
    known = [field.name for field in fields(TrainConfig)]
    known += [f"train__{name}" for name in known]
    known += [f"augment__{field.name}" for field in fields(AugmentConfig)]
    known += [f"data__{name}" for name in _OF_DATA]
    known += ["model__name"]
    known += [f"model__{f.name}" for f in fields(MODELS[model].preset) if f.name not in _FROM_DATA]
    for name in settings:
        if name not in known:
            near = nearest(name, known)
            hint = f"did you mean {near!r}?" if near else "train's go by their names, as in lr=0.1"
            raise ConfigError(
                f"{name}: unknown setting; {hint}",
                fix="others with their section and two underscores, as in model__activation='relu'",
            )
        if f"train__{name}" in settings:
            raise ConfigError(f"{name}: is said twice, also as train__{name}")


def resolved(recipe: str, settings: Mapping[str, Any], images: ImageSet) -> Recipe:
    """The recipe of that name or file with these settings, for `images` to train on.

    Of few images, as with `convlens train --data`, training follows (`experiment/small.py`).

    Raises:
        UnknownName, ConfigError: as `resolve` does.
    """
    check_names(recipe, settings)
    means, stds = images.mean_and_std()
    table = {
        **_base(recipe),
        "data": {
            "channels": images.images.shape[1],
            "classes": list(images.class_names),
            "image_size": images.images.shape[2],
            "mean": [round(mean, 4) for mean in means],
            "std": [max(round(std, 4), 1e-4) for std in stds],
        },
    }
    fixed: set[str] = set()
    for key, value in settings.items():
        section, _, name = key.rpartition("__")
        section = section or "train"
        table[section] = {**table.get(section, {}), name: plain(value)}
        fixed |= {name} if section == "train" else set()
    found = of_table(Path(recipe).stem, table)
    train = suited(found.train, len(images), fixed)
    changed = difference(found.train, train)
    return replace(found, train=train, notes=(changed,) if changed else ())


def of_table(name: str, table: SettingsTable) -> Recipe:
    """The recipe of these tables, whose images are arrays and in no folder."""
    data = {**table["data"], "name": OWN, "folder": "."}  # "." is not looked at
    recipe = resolve(name, {**table, "data": data})
    return replace(recipe, data=replace(recipe.data, folder=None))


def class_names(classes: Iterable[Any]) -> tuple[str, ...]:
    """A name for each class, all different.

    >>> class_names(["ant", 3]), class_names(["3", 3])
    (('ant', '3'), ('0: 3', '1: 3'))
    """
    names = tuple(map(str, classes))
    if len(set(names)) == len(names):
        return names
    return tuple(f"{place}: {name}" for place, name in enumerate(names))


def plain(value: Any) -> Any:
    """A number of numpy's as Python's, as a grid of settings may hold them.

    >>> plain(np.int64(3)), plain("relu")
    (3, 'relu')
    """
    return value.item() if isinstance(value, np.generic) else value


def _base(recipe: str) -> SettingsTable:
    path = Path(recipe) if recipe.endswith(".toml") else shipped_recipes()[recipe]
    return {section: content for section, content in read_toml(path).items() if section != "data"}
