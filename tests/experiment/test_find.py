"""A recipe's sweep repeats, and leaves no folder."""

from pathlib import Path

import pytest
import torch

from convlens.experiment.find import find_lr
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
