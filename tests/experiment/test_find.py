"""What is found out by a few steps repeats where it can, and leaves no folder."""

from pathlib import Path

import pytest
import torch

from convlens.experiment.find import find_lr, find_ways
from convlens.experiment.machine import probe
from convlens.experiment.recipe import resolve


def test_the_same_recipe_gives_the_same_sweep_and_writes_nothing(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = {
        "data": {"folder": str(small_folder), "validation": "test"},
        "model": {"name": "lenet-modern"},
        "train": {"batch_size": 60, "device": "cpu"},
    }
    recipe = resolve("small", table)
    chance = torch.random.get_rng_state()
    assert find_lr(recipe, num_steps=8) == find_lr(recipe, num_steps=8)
    assert torch.equal(torch.random.get_rng_state(), chance)
    assert not list(tmp_path.iterdir())


def test_ways_are_tried_and_nothing_is_written(
    small_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(probe, "SECONDS", 0.0)
    monkeypatch.setattr(probe, "has_bfloat16", lambda _: False)
    table = {
        "data": {"folder": str(small_folder), "validation": "test"},
        "model": {"name": "lenet"},
        "train": {"batch_size": 10, "device": "cpu"},
    }
    found = find_ways(resolve("small", table))
    assert [one.way.channels_last for one in found] == [True, False]
    assert not list(tmp_path.iterdir())
