"""A trial looks at the tuning split alone."""

from dataclasses import replace

import pytest
import torch

from benchmarks.board.trial import SPLIT, main, trial
from convlens.data.catalog import Splits
from convlens.data.image_set import DataSet
from convlens.experiment.execute import Material
from convlens.experiment.recipe import load_recipe


def test_it_trains_on_the_training_images_and_measures_the_validations(small: DataSet) -> None:
    recipe = load_recipe("lenet-modern", ["train.epochs=1", "train.lr=0.01", *SPLIT])
    splits = Splits(small.train[:300], small.train[300:400], test=small.test[:0])
    material = Material(device=torch.device("cpu"), splits=splits, data_md5={})
    found = trial(recipe, material)
    assert 100 * found.accuracy == pytest.approx(round(100 * found.accuracy))  # of 100 images
    assert found.seconds > 0
    assert replace(trial(recipe, material), seconds=found.seconds) == found


def test_the_split_is_the_held_out_one() -> None:
    assert load_recipe("lenet", SPLIT).data.validation == "held-out"


def test_a_wrong_setting_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["lenet", "train.lrr=1"]) == 2
    assert "train.lr" in capsys.readouterr().err
