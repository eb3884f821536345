"""The estimate counts steps and evaluations that are left, and trains nothing."""

from pathlib import Path
from typing import Any

import pytest

from convlens.course.homework import estimate
from convlens.course.homework.estimate import seconds_left
from convlens.course.homework.trainings import train_or_continue
from convlens.inspection.training.timing import Timing
from convlens.train.events import Event
from tests.course.homework.tiny import TINY


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step takes 10 seconds and a forward pass of an evaluation 1."""

    def takes(seconds: float) -> Any:
        return lambda *_, **__: Timing.of([seconds])

    monkeypatch.setattr(estimate, "time_step", takes(10.0))
    monkeypatch.setattr(estimate, "time_forward", takes(1.0))


def test_all_steps_and_evaluations_are_counted(small_folder: Path) -> None:
    recipe = TINY.recipe_for("quick", folder=small_folder)
    assert seconds_left(recipe, None) == 2 * 5 * 10 + 3 * 1  # 2 epochs of 5 steps, 3 evaluations
    full = TINY.recipe_for("full", folder=small_folder)
    assert seconds_left(full, None) == 2 * 10 * 10 + 3 * 1


def test_what_is_done_is_not_counted_again(small_folder: Path, tmp_path: Path) -> None:
    recipe = TINY.recipe_for("quick", folder=small_folder)

    def stop(event: Event) -> None:
        if type(event).__name__ == "Checkpointed":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_or_continue(TINY, recipe, "quick", tmp_path, [stop])
    (run,) = (path for path in tmp_path.iterdir() if path.is_dir())
    found = estimate.Run(run)
    assert seconds_left(recipe, found) == 1 * 5 * 10 + 2 * 1
    trained = train_or_continue(TINY, recipe, "quick", tmp_path, [])
    assert seconds_left(recipe, trained.run) == 0
