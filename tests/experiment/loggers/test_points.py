"""Events become points at a step of the whole training."""

import pytest

from convlens.experiment.loggers.points import NAMES, Curves, Point
from convlens.experiment.recipe import Recipe
from convlens.runs.store import Run
from convlens.train.events import (
    Checkpointed,
    EpochFinished,
    EpochStarted,
    Evaluated,
    FitStarted,
    StepsFinished,
)

STARTED = FitStarted(num_epochs=3, steps_per_epoch=4, num_images=600, device="cpu")


def numbers(points: list[Point]) -> list[tuple[str, int, int, float]]:
    return [(point.name, point.step, point.epoch, point.value) for point in points]


def test_steps_are_counted_through_the_epochs() -> None:
    curves = Curves()
    assert curves.of(STARTED) == []
    assert numbers(curves.of(StepsFinished(epoch=3, step=2, loss=0.5, lr=0.1))) == [
        ("train/loss", 10, 3, 0.5),
        ("train/lr", 10, 3, 0.1),
    ]


def test_what_an_epoch_says_stands_at_its_last_step_even_if_it_was_cut() -> None:
    curves = Curves()
    curves.of(STARTED)
    curves.of(StepsFinished(epoch=2, step=3, loss=0.5, lr=0.1))
    evaluated = Evaluated(epoch=2, loss=0.4, accuracy=0.9, num_images=100, seconds=1.0)
    finished = EpochFinished(epoch=2, loss=0.6, seconds=2.0, images_per_second=300.0)
    assert numbers(curves.of(evaluated) + curves.of(finished)) == [
        ("validation/loss", 7, 2, 0.4),
        ("validation/accuracy", 7, 2, 0.9),
        ("epoch/loss", 7, 2, 0.6),
        ("epoch/seconds", 7, 2, 2.0),
        ("epoch/images_per_second", 7, 2, 300.0),
    ]
    test = {"loss": 0.7, "accuracy": 0.8, "num_images": 100}
    assert numbers(curves.of_test(test)) == [
        ("test/loss", 7, 2, 0.7),
        ("test/accuracy", 7, 2, 0.8),
    ]


@pytest.mark.parametrize("event", [EpochStarted(epoch=1), Checkpointed(epoch=1, best=True)])
def test_other_events_tell_no_number(event: EpochStarted | Checkpointed) -> None:
    assert Curves().of(event) == []
    assert Curves().of_test(None) == []


def test_the_records_of_a_run_give_every_kind_of_point(recipe: Recipe, finished: Run) -> None:
    curves = Curves()
    points = curves.of_records(finished.records())
    points += curves.of_test(finished.summary()["test"])
    assert {point.name for point in points} == set(NAMES)
    assert [p.step for p in points if p.name == "train/loss"] == [3, 4, 7, 8, 11, 12]
    assert points[-1].step == 12 == recipe.train.epochs * 4
