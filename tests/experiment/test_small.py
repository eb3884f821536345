"""Few images are given enough steps, and many are left as the recipe has them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.experiment.small import SMALLEST_BATCH, STEPS, STEPS_AN_EPOCH, difference, suited
from convlens.train.optim import TrainConfig

RECIPE = TrainConfig(lr=0.05, batch_size=128, epochs=10)


@given(st.integers(1, 100_000), st.integers(1, 1024), st.integers(1, 300))
def test_there_are_enough_steps_and_lr_goes_with_the_batch(
    num_images: int, batch_size: int, epochs: int
) -> None:
    recipe = TrainConfig(lr=0.05, batch_size=batch_size, epochs=epochs)
    used = suited(recipe, num_images, frozenset())
    steps = math.ceil(num_images / used.batch_size)
    assert steps >= STEPS_AN_EPOCH or used.batch_size <= SMALLEST_BATCH
    assert steps * used.epochs >= STEPS
    assert used.lr / used.batch_size == pytest.approx(recipe.lr / recipe.batch_size)
    assert (used.batch_size <= recipe.batch_size) and (used.epochs >= recipe.epochs)


@pytest.mark.parametrize("num_images", [3_200, 60_000])
def test_enough_images_change_nothing(num_images: int) -> None:
    assert suited(RECIPE, num_images, frozenset()) == RECIPE


def test_what_is_fixed_stays() -> None:
    assert suited(RECIPE, 100, frozenset({"batch_size", "lr", "epochs"})) == RECIPE
    assert suited(RECIPE, 100, frozenset({"lr"})).lr == RECIPE.lr
    fixed = suited(RECIPE, 100, frozenset({"batch_size"}))
    assert (fixed.batch_size, fixed.lr, fixed.epochs) == (128, 0.05, 240)


def test_every_change_is_said() -> None:
    assert difference(RECIPE, RECIPE) == ""
    assert difference(RECIPE, suited(RECIPE, 132, frozenset())) == (
        "for so few images: 27 epochs (the recipe: 10), batches of 16 (the recipe: 128), "
        "lr 0.00625 (the recipe: 0.05)"
    )
