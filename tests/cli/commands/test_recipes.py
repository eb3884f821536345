"""`convlens recipes`, as a user meets it."""

import tomllib
from pathlib import Path

from convlens.experiment.recipe import load_recipe, shipped_recipes
from tests.cli.conftest import Convlens


def test_every_recipe_is_listed_with_its_claim(convlens: Convlens) -> None:
    assert convlens("recipes", "--json").json["recipes"].keys() == shipped_recipes().keys()
    assert "lenet-modern" in convlens("recipes").out


def test_a_printed_recipe_is_that_recipe_when_it_is_read_again(
    convlens: Convlens, tmp_path: Path
) -> None:
    result = convlens("recipes", "lenet")
    path = tmp_path / "lenet.toml"
    path.write_text(result.out)
    assert load_recipe(str(path)) == load_recipe("lenet")
    assert tomllib.loads(result.out)["train"]["lr"] == 0.1


def test_one_recipe_as_json(convlens: Convlens) -> None:
    assert convlens("recipes", "lenet", "--json").json["model"]["activation"] == "sigmoid"
