"""`convlens evaluate`, as a user meets it."""

import re
import shutil
from pathlib import Path

import pytest

from convlens.runs.store import Run
from tests.cli.conftest import Convlens


def test_evaluating_gives_the_accuracy_that_training_reported(
    convlens: Convlens, trained: Path
) -> None:
    result = convlens("evaluate", trained, "--json")
    assert result.code == 0
    assert result.json["accuracy"] == Run(trained).summary()["test"]["accuracy"]
    assert result.json["num_images"] == 100


def test_a_run_is_found_by_name_and_the_table_is_for_people(
    convlens: Convlens, trained: Path
) -> None:
    result = convlens("evaluate", trained.name, "--out", trained.parent, "--weights", "best")
    assert result.code == 0
    assert "of 100)" in result.out
    assert "best weights" in result.out


def test_each_class_is_counted_and_the_counts_add_up(convlens: Convlens, trained: Path) -> None:
    found = convlens("evaluate", trained, "--json").json
    classes = found["by_class"]
    assert [each["class"] for each in classes] == found["classes"]
    assert sum(each["num_images"] for each in classes) == found["num_images"]
    assert sum(each["num_correct"] for each in classes) == found["num_correct"]
    for each in classes:
        assert each["accuracy"] == each["num_correct"] / each["num_images"]
        assert each["num_taken"] <= each["num_images"] - each["num_correct"]
    worst = min(classes, key=lambda each: each["accuracy"])
    line = f"{worst['class']} .* {worst['taken_for']} \\({worst['num_taken']}\\)"
    assert re.search(line, convlens("evaluate", trained).out)


def test_other_data_can_be_named(convlens: Convlens, trained: Path, tmp_path: Path) -> None:
    result = convlens("evaluate", trained, "--folder", tmp_path)
    assert result.code == 3
    assert str(tmp_path / "train-images-idx3-ubyte") in result.err


def test_an_unknown_run_gives_the_nearest(convlens: Convlens, trained: Path) -> None:
    result = convlens("evaluate", "lenet-modern-2", "--out", trained.parent)
    assert result.code == 3
    assert "lenet-modern-1" in result.err


@pytest.mark.parametrize("which", ["last", "best"])
def test_a_run_without_weights_says_so(
    convlens: Convlens, trained: Path, tmp_path: Path, which: str
) -> None:
    copy = tmp_path / trained.name
    shutil.copytree(trained, copy)
    Run(copy).weights_path(which).unlink()
    result = convlens("evaluate", copy, "--weights", which)
    assert result.code == 3
    assert f"weights-{which}.safetensors: no such weights" in result.err


def test_weights_of_another_model_are_refused(
    convlens: Convlens, trained: Path, tmp_path: Path
) -> None:
    copy = tmp_path / trained.name
    shutil.copytree(trained, copy)
    recipe = copy / "recipe.toml"
    text = recipe.read_text().replace("image_size = 28", "image_size = 32")
    recipe.write_text(text)
    result = convlens("evaluate", copy)
    assert result.code == 3
    assert "weights of another model" in result.err
    assert "head.1.weight" in result.err


def test_averaging_is_reported_beside_the_plain_accuracy(convlens: Convlens, trained: Path) -> None:
    plain = convlens("evaluate", trained, "--json").json
    both = convlens("evaluate", trained, "--tta", "mirror", "--json").json
    assert both["accuracy"] == plain["accuracy"] and both["loss"] == plain["loss"]
    assert (both["tta"]["views"], both["tta"]["share"]) == ("mirror", 1.0)
    assert both["tta"]["loss"] != plain["loss"]
    assert "tta" not in plain


def test_a_share_leaves_the_confident_images(convlens: Convlens, trained: Path) -> None:
    options = ("--tta", "mirror-shift", "--tta-share", "0.25")
    result = convlens("evaluate", trained, *options)
    assert result.code == 0
    assert "mirror-shift, least confident 25 % of the images" in result.out
    assert result.out.count("test accuracy") == 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--tta", "miror"), "'mirror'"),
        (("--tta-share", "0.5"), "--tta-share goes with --tta"),
        (("--tta", "mirror", "--tta-share", "0"), "above 0 and at most 1"),
        (("--tta", "mirror", "--tta-share", "1.5"), "above 0 and at most 1"),
    ],
)
def test_averaging_that_makes_no_sense_is_refused(
    convlens: Convlens, trained: Path, options: tuple[str, ...], told: str
) -> None:
    result = convlens("evaluate", trained, *options)
    assert result.code == 2
    assert told in result.err
