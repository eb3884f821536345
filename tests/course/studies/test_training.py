"""A training of an experiment: what it says it did, once and again."""

from pathlib import Path

import pytest
import torch
from torch import nn

from convlens.core.errors import DataError
from convlens.course.studies.training import Effort, load, train
from convlens.course.study import Setup
from convlens.data.image_set import DataSet


def make() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def test_a_training_is_on_as_many_images_as_it_says(small: DataSet) -> None:
    trained = train(make, small, Effort(256, epochs=2, num_test_images=50), 0)
    assert trained.ran.startswith("2 epochs on 256 training images")
    assert trained.ran.endswith("then 50 test images")
    assert trained.test.num_images == 50


def test_more_images_than_there_are_is_all_of_them(small: DataSet) -> None:
    trained = train(make, small, Effort(60_000, epochs=1), 0)
    assert f"{len(small.train):,} training images" in trained.ran
    assert trained.test.num_images == len(small.test)


def test_the_same_seed_trains_the_same_network(small: DataSet) -> None:
    effort = Effort(128, epochs=1)
    one, again, other = (
        next(train(make, small, effort, seed).model.parameters()).detach() for seed in (1, 1, 2)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_the_images_come_from_the_folder_that_is_given(small_folder: Path, small: DataSet) -> None:
    assert len(load(Setup(folder=small_folder)).train) == len(small.train)
    with pytest.raises(DataError):
        load(Setup(folder=small_folder / "nowhere"))
