"""A recipe decides everything, survives being written down, and is refused by its key."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.config import read_toml, write_toml
from convlens.core.errors import ConfigError, ConvLensError, UnknownName
from convlens.data.augment.settings import AugmentConfig
from convlens.experiment.recipe import SHIPPED, claim, load_recipe, resolve, shipped_recipes
from convlens.models.lenet import LeNetConfig
from convlens.train.optim import TrainConfig

SMALLEST: dict[str, Any] = {"model": {"name": "lenet"}}


def refused(table: dict[str, Any], kind: type[ConvLensError] = ConfigError) -> str:
    """What is said of these tables."""
    with pytest.raises(kind) as error:
        resolve("mine", table)
    return error.value.what


def test_the_shipped_recipes_are_the_files_there_are() -> None:
    names = "fast-90 fast-92 fast-93 fast-94 lenet lenet-bn lenet-modern resnet18-d2l vgg11-slim"
    assert list(shipped_recipes()) == names.split()
    assert {path.suffix for path in SHIPPED.iterdir()} == {".toml"}


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_survives_being_written_down(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert resolve(name, recipe.to_table()) == recipe
    path = tmp_path / f"{name}.toml"
    path.write_text(write_toml(recipe.to_table()))
    assert resolve(name, read_toml(path)) == recipe
    assert load_recipe(str(path)) == recipe


@pytest.mark.parametrize("name", shipped_recipes())
def test_a_shipped_recipe_opens_with_its_claim(name: str) -> None:
    path = shipped_recipes()[name]
    assert path.read_text().startswith("# ")
    assert claim(path)


def test_a_claim_is_the_comment_at_the_top_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text("# 90 % test accuracy,\n#   n=3\n\n# not the claim\n[model]\n")
    assert claim(path) == "90 % test accuracy, n=3"
    path.write_text("[model]\n# not the claim\n")
    assert claim(path) == ""
    path.write_text("# all of it")
    assert claim(path) == "all of it"


def test_lenet_is_the_books_recipe() -> None:
    recipe = load_recipe("lenet")
    assert (recipe.train.lr, recipe.train.batch_size, recipe.train.epochs) == (0.1, 128, 10)
    assert (recipe.train.schedule, recipe.train.momentum) == ("constant", 0.0)
    assert recipe.data.validation == "test"
    assert recipe.model == LeNetConfig(activation="sigmoid", pooling="avg", init="xavier")


# Tables and not recipes: the checks of types draw by chance, which a strategy must not.
tables = st.builds(
    lambda train, model, data: {"train": train, "model": {"name": "lenet", **model}, "data": data},
    st.fixed_dictionaries(
        {"momentum": st.floats(0.1, 0.9)},  # which nesterov needs
        optional={
            "epochs": st.integers(1, 10**6),
            "lr": st.floats(1e-300, 1e300),
            "nesterov": st.booleans(),
            "schedule": st.sampled_from(["constant", "one-cycle"]),
            "device": st.text(st.characters(exclude_categories=["Cs"]), max_size=9),
        },
    ),
    st.fixed_dictionaries({}, optional={"activation": st.sampled_from(["sigmoid", "relu"])}),
    st.fixed_dictionaries(
        {},
        optional={
            "image_size": st.integers(1, 500),
            "mean": st.lists(st.floats(0, 1), max_size=3),
            "folder": st.text(
                st.characters(exclude_categories=["Cs"], exclude_characters="~"), max_size=9
            ),
        },
    ),
)


@given(tables)
def test_any_recipe_survives_being_written_down(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, Any]
) -> None:
    recipe = resolve("mine", table)
    path = tmp_path_factory.mktemp("recipe") / "mine.toml"
    path.write_bytes(write_toml(recipe.to_table()).encode())
    assert load_recipe(str(path)) == recipe


@given(tables)
def test_a_resolved_recipe_has_every_setting(given_table: dict[str, Any]) -> None:
    table = resolve("mine", given_table).to_table()
    assert table["train"].keys() == {*TrainConfig.__dataclass_fields__}
    assert table["model"].keys() == {"name", *LeNetConfig.__dataclass_fields__}
    assert table["data"].keys() >= {"name", "validation", "image_size", "mean", "std"}


@given(st.integers(1, 500))
def test_the_model_follows_the_data(image_size: int) -> None:
    recipe = resolve("mine", {**SMALLEST, "data": {"image_size": image_size}})
    assert recipe.model == LeNetConfig(image_size=image_size, in_channels=1, num_classes=10)


@pytest.mark.parametrize(
    ("setting", "value", "datas"),
    [("image_size", 32, 28), ("in_channels", 3, 1), ("num_classes", 2, 10)],
)
def test_a_model_that_does_not_fit_the_data_is_refused(
    setting: str, value: int, datas: int
) -> None:
    message = refused({"model": {"name": "lenet", setting: value}})
    assert message == f"model.{setting}: is {value}, but the data's is {datas}"
    assert resolve("mine", {"model": {"name": "lenet", setting: datas}})


def test_assignments_replace_the_file_and_the_file_the_defaults(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('[model]\nname = "lenet"\n[train]\nlr = 0.5\nepochs = 7\n')
    recipe = load_recipe(str(path), ["train.lr=0.25", "model.pooling=max", "train.lr=0.125"])
    assert recipe.name == "mine"
    assert (recipe.train.lr, recipe.train.epochs) == (0.125, 7)  # assigned, of the file
    assert recipe.train.batch_size == TrainConfig().batch_size  # the default
    assert recipe.model.pooling == "max"


BAD: list[tuple[dict[str, Any], type[ConvLensError], str]] = [
    ({"trian": {}}, ConfigError, "trian: unknown section; did you mean 'train'?"),
    ({"train": 3}, ConfigError, "train: must be a section, [train]"),
    ({"train": {"epoch": 3}}, ConfigError, "train.epoch: unknown setting; did you mean 'epochs'?"),
    ({"data": {"nam": "x"}}, ConfigError, "data.nam: unknown setting; did you mean 'name'?"),
    ({"train": {"epochs": -1}}, ConfigError, "train.epochs: input should be greater than 0"),
    ({"train": {"lr": "0.1"}}, ConfigError, "train.lr: input should be a valid number, not '0.1'"),
    ({"train": {"lr": math.inf}}, ConfigError, "train.lr: input should be a finite number"),
    ({"data": {"std": [math.inf]}}, ConfigError, "data.std.0: input should be a finite number"),
    ({"data": {"validation": "tset"}}, ConfigError, "data.validation: .* did you mean 'test'?"),
    (
        {"data": {"name": "fashion"}},
        UnknownName,
        "no data set 'fashion'; did you mean 'fashion-mnist'",
    ),
    ({"model": {"name": "lenett"}}, UnknownName, "no model 'lenett'; did you mean 'lenet'?"),
    ({"model": {"name": 3}}, ConfigError, "model.name: must name a model"),
    ({"model": {}}, ConfigError, "model.name: must name a model"),
    (
        {"model": {"name": "lenet", "poolng": "max"}},
        ConfigError,
        "model.poolng: unknown setting; did you mean 'pooling'?",
    ),
]


@pytest.mark.parametrize(("change", "kind", "message"), BAD)
def test_what_makes_no_sense_is_refused_with_its_key_and_the_nearest_name(
    change: dict[str, Any], kind: type[ConvLensError], message: str
) -> None:
    start, _, end = message.partition(".* ")
    found = refused({**SMALLEST, **change}, kind)
    assert found.startswith(start)
    assert end in found


def test_a_recipe_without_a_model_is_refused() -> None:
    assert refused({}) == "model.name: must name a model"


def test_an_unknown_recipe_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="no recipe 'lenet-modrn'; did you mean 'lenet-modern'"):
        load_recipe("lenet-modrn")
    with pytest.raises(ConfigError, match=r"nowhere\.toml: no such file"):
        load_recipe("nowhere.toml")


def test_the_augmentation_is_a_section_of_its_own() -> None:
    recipe = load_recipe("lenet", ["augment.flip=random", "augment.translate=2"])
    assert recipe.augment == AugmentConfig(flip="random", translate=2)
    assert load_recipe("lenet").augment == AugmentConfig()
    assert recipe.to_table()["augment"]["flip"] == "random"
    with pytest.raises(ConfigError, match=r"^augment\.flipp: unknown setting; did you mean 'flip'"):
        load_recipe("lenet", ["augment.flipp=random"])


def test_patience_without_validation_is_refused() -> None:
    with pytest.raises(ConfigError, match="patience: waits for a better validation accuracy"):
        load_recipe("lenet-modern", ["train.patience=2", "data.validation=none"])
