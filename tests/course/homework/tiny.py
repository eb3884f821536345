"""A homework that takes seconds: a tiny training on the small data set, and cheap studies."""

from pathlib import Path

import pytest

from convlens.course.homework import replay as room
from convlens.course.homework.replay import Homework, replay
from convlens.course.homework.trainings import Training

TINY = Training(
    name="tiny",
    section="7.6",
    title="Tiny LeNet",
    recipe="lenet-modern",
    settings=("data.validation=test", "train.batch_size=60", "train.epochs=2"),
    quick_settings=("data.max_train_images=300",),
    published=0.9,
    expected=(0.0, 1.0),
)
CHEAP = ("7.2-diagonal", "7.3-shape", "7.4-blocks", "8.2-layers")


def tiny_homework(out: Path, folder: Path) -> Homework:
    """The quick edition with one tiny training, of the files in `folder`, and the cheap studies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "TRAININGS", (TINY,))
        patch.setattr(room, "STUDIES", {name: room.STUDIES[name] for name in CHEAP})
        return replay("quick", out, folder=folder)
