"""Trainings that the tests of loggers stop, and take up again."""

from pathlib import Path

import pytest

from convlens.experiment.execute import execute
from convlens.experiment.recipe import Recipe, resolve
from convlens.experiment.resume import resume_run
from convlens.runs.store import Run, open_run
from convlens.train.events import Event, Listener

EVERY_STEP = 1e-9  # seconds between checkpoints
NUM_EPOCHS, NUM_STEPS = 3, 4


@pytest.fixture(scope="session")
def recipe(small_folder: Path) -> Recipe:
    """LeNet on the small data set, three epochs of four steps, told after the third and fourth."""
    return resolve(
        "small",
        {
            "data": {"folder": str(small_folder), "validation": "test"},
            "model": {"name": "lenet-modern"},
            "train": {
                "epochs": NUM_EPOCHS, "batch_size": 150, "lr": 0.02, "schedule": "one-cycle",
                "log_every": 3, "device": "cpu", "checkpoint_seconds": 0,
            },
        },
    )  # fmt: skip


def stop_at(kind: type, epoch: int) -> Listener:
    """Stops a training as a crash would, at the event of this kind in this epoch."""

    def listen(event: Event) -> None:
        if isinstance(event, kind) and getattr(event, "epoch", epoch) == epoch:
            raise ZeroDivisionError

    return listen


def trained_in_two(
    recipe: Recipe, out: Path, first: list[Listener], second: list[Listener], stop: Listener
) -> Run:
    """A run that `stop` ended, listened to by `first`, and that went on for `second`."""
    with pytest.raises(ZeroDivisionError):
        execute(recipe, out=out, listeners=[*first, stop])
    return resume_run(open_run("small-1", out), listeners=second)


@pytest.fixture(scope="session")
def finished(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished run without a log; read it, do not write to it."""
    return execute(recipe, out=tmp_path_factory.mktemp("finished"))
