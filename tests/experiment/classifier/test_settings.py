"""Keyword arguments are the settings of a recipe, by their own names."""

from pathlib import Path

import numpy as np
import pytest
import torch

from convlens.core.errors import ConfigError, ShapeError, UnknownName
from convlens.data.image_set import ImageSet
from convlens.experiment.classifier.settings import check_names, of_table, resolved
from convlens.experiment.recipe import load_recipe
from convlens.models.catalog import build


def images(channels: int = 3, size: int = 30, num_images: int = 400) -> ImageSet:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (num_images, channels, size, size), generator=generator)
    return ImageSet(pixels.to(torch.uint8), torch.arange(num_images) % 2, ("a", "b"))


def test_settings_go_to_their_sections() -> None:
    settings = {
        "epochs": np.int64(2), "train__lr": np.float64(0.5), "model__activation": "sigmoid",
        "augment__flip": "random", "data__image_size": 32,
    }  # fmt: skip
    recipe = resolved("lenet-modern", settings, images())
    assert (recipe.train.epochs, recipe.train.lr) == (2, 0.5)
    assert (recipe.model.activation, recipe.augment.flip) == ("sigmoid", "random")
    assert recipe.data.image_size == recipe.model.image_size == 32


def test_what_is_not_said_is_the_recipes_and_the_datas() -> None:
    some = images(num_images=4_000)
    recipe = resolved("lenet-modern", {}, some)
    assert recipe.train == load_recipe("lenet-modern").train
    assert (recipe.model.in_channels, recipe.model.num_classes) == (3, 2)
    assert recipe.data.image_size == recipe.model.image_size == 30
    assert recipe.data.mean == pytest.approx(some.mean_and_std()[0], abs=1e-4)
    assert recipe.notes == ()
    assert recipe.data.folder is None


def test_of_few_images_training_follows_but_for_what_is_said() -> None:
    recipe = resolved("lenet-modern", {"train__epochs": 3}, images(num_images=100))
    assert (recipe.train.epochs, recipe.train.batch_size) == (3, 8)
    assert recipe.notes[0].startswith("for so few images: ")


def test_another_model_may_be_named() -> None:
    recipe = resolved("lenet", {"model__name": "nin", "model__init": "kaiming"}, images())
    assert (recipe.model_name, recipe.model.init) == ("nin", "kaiming")


def test_images_too_small_for_the_network_are_refused_by_its_own_rule() -> None:
    recipe = resolved("lenet-modern", {}, images(size=8))
    with pytest.raises(ShapeError):
        build(recipe.model_name, recipe.model)


def test_a_table_gives_the_recipe_back() -> None:
    recipe = resolved("lenet-modern", {"epochs": 2}, images(num_images=4_000))
    assert of_table("lenet-modern", recipe.to_table()) == recipe


def test_a_file_is_a_recipe_too(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text('[model]\nname = "lenet"\n[train]\nlr = 0.25\n')
    recipe = resolved(str(tmp_path / "mine.toml"), {}, images(num_images=4_000))
    assert (recipe.name, recipe.train.lr) == ("mine", 0.25)


@pytest.mark.parametrize(
    ("recipe", "settings", "words"),
    [
        ("lenet-modern", {"epoch": 1}, "epoch: unknown setting; did you mean 'epochs'"),
        ("lenet-modern", {"model__activaton": 1}, "did you mean 'model__activation'"),
        ("lenet-modern", {"model__num_classes": 3}, "model__num_classes: unknown setting"),
        ("lenet-modern", {"data__folder": "a"}, "data__folder: unknown setting"),
        ("lenet-modern", {"zzz": 1}, "unknown setting; train's go by their names"),
        ("lenet-modern", {"lr": 1, "train__lr": 1}, "lr: is said twice"),
        ("lenet-modrn", {}, "no recipe 'lenet-modrn'; did you mean 'lenet-modern'"),
        ("lenet-modern", {"model__name": "lenett"}, "no model 'lenett'"),
    ],
)
def test_what_is_unknown_is_refused_with_the_nearest(
    recipe: str, settings: dict[str, object], words: str
) -> None:
    with pytest.raises((ConfigError, UnknownName), match=words):
        check_names(recipe, settings)


def test_a_value_out_of_range_is_named_by_its_dotted_key() -> None:
    with pytest.raises(ConfigError, match=r"train\.epochs: .*greater than 0, not -1"):
        resolved("lenet-modern", {"epochs": -1}, images())
