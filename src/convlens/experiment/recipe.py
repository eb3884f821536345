"""A recipe: data + augmentation + model + training, everything that decides a result.

As TOML it has four sections. `[model]` names a model of the catalog; its other settings are
that model's own, and start from its preset:

    [data]
    name = "fashion-mnist"

    [model]
    name = "lenet"
    activation = "relu"

    [train]
    lr = 0.1

A shipped recipe opens with its claim, a comment filled from runs that were made.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from convlens.core.config import SettingsTable, override, parse, read_toml, to_table
from convlens.core.errors import ConfigError
from convlens.core.names import Table, suggestion
from convlens.data.augment.settings import AugmentConfig
from convlens.data.catalog import choose, load_data, nature, settle
from convlens.data.config import OWN, DataConfig
from convlens.experiment.small import difference, suited
from convlens.models.catalog import configure
from convlens.train.optim import TrainConfig

SHIPPED = Path(__file__).parent / "recipes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """What to run; `model` is the frozen config of the catalog's model `model_name`."""

    name: str  # what its run folders are called after
    data: DataConfig
    model_name: str
    model: Any
    train: TrainConfig
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    notes: tuple[str, ...] = field(default=(), compare=False)  # what a person should know of it

    def to_table(self) -> SettingsTable:
        """The resolved recipe as TOML tables; `resolve` gives the same recipe back."""
        return {
            "data": to_table(self.data),
            "augment": to_table(self.augment),
            "model": {"name": self.model_name, **to_table(self.model)},
            "train": to_table(self.train),
        }


def shipped_recipes() -> Table[Path]:
    """The recipes inside the package, by name."""
    return Table("recipe", *((path.stem, path) for path in SHIPPED.glob("*.toml")))


def claim(path: Path) -> str:
    """The claim in the first lines of a recipe file, without the comment signs."""
    lines: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            break
        lines.append(line.removeprefix("#").strip())
    return " ".join(lines)


def load_recipe(name: str, assignments: Sequence[str] = (), *, data: str | None = None) -> Recipe:
    """The shipped recipe called `name`, or the TOML file at that path, with settings replaced.

    `data` is what to train on instead: a data set's name, a folder of images, or a .csv; of few
    images, training follows (`experiment/small.py`). `assignments` are `section.key=value`, the
    last one winning.

    Raises:
        UnknownName: no such recipe, model or data set.
        ConfigError: an unknown setting, a wrong type or a value out of range.
        DataError: `data`, or own images, that cannot be used.
    """
    path = Path(name) if name.endswith(".toml") else shipped_recipes()[name]
    table = read_toml(path)
    if data is not None and isinstance(before := table.get("data", {}), dict):
        said = override({}, assignments).get("data", {})
        table = {**table, "data": choose(data, before, said.get("folder"))}
    recipe = resolve(path.stem, override(table, assignments))
    return recipe if recipe.data.name != OWN else _of_own_images(recipe, assignments, data)


def _of_own_images(recipe: Recipe, assignments: Sequence[str], data: str | None) -> Recipe:
    """The recipe with notes on its images and, if they were chosen as `data`, suited to them."""
    images = load_data(recipe.data)
    notes, train = images.notes, recipe.train
    if data is not None:
        keys = (assignment.partition("=")[0].strip() for assignment in assignments)
        fixed = {key.removeprefix("train.") for key in keys}
        num_images = min(len(images.train), recipe.data.max_train_images or len(images.train))
        train = suited(train, num_images, fixed)
        changed = difference(recipe.train, train)
        notes += (changed,) if changed else ()
    return replace(recipe, train=train, notes=notes)


def resolve(name: str, table: SettingsTable) -> Recipe:
    """The recipe of these tables, with every setting filled in.

    What is not set of the data follows from the data themselves, so own images are looked at;
    channels, classes and image size of the model follow the data.

    Raises:
        UnknownName: no such model or data set.
        ConfigError: an unknown section or setting, a wrong type or a value out of range.
        DataError: own images that cannot be used.
    """
    sections = ("data", "augment", "model", "train")
    for section, content in table.items():
        if section not in sections:
            raise ConfigError(f"{section}: unknown section; {suggestion(section, sections)}")
        if not isinstance(content, dict):
            raise ConfigError(f"{section}: must be a section, [{section}]")
    section_data = table.get("data", {})
    data = parse(DataConfig, section_data, section="data")
    data = settle(data, frozenset(section_data))
    augment = parse(AugmentConfig, table.get("augment", {}), section="augment")
    settings = dict(table.get("model", {}))
    model_name = settings.pop("name", None)
    if not isinstance(model_name, str):
        raise ConfigError("model.name: must name a model", fix="list them: convlens models")
    seen = nature(data)
    from_data = {
        "in_channels": seen.channels,
        "num_classes": len(seen.class_names),
        "image_size": data.image_size,
    }
    model = configure(model_name, {**from_data, **settings})
    for setting, value in from_data.items():
        if (found := getattr(model, setting)) != value:
            raise ConfigError(f"model.{setting}: is {found}, but the data's is {value}")
    train = parse(TrainConfig, table.get("train", {}), section="train")
    if train.patience and data.validation == "none":
        raise ConfigError(
            "train.patience: waits for a better validation accuracy, but data.validation is none",
            fix='leave patience out, or validate: --set data.validation="held-out"',
        )
    return Recipe(
        name=name, data=data, model_name=model_name, model=model, train=train, augment=augment
    )
