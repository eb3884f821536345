"""A homework that takes seconds: two tiny trainings on the small data set, and cheap studies."""

from collections.abc import Iterator
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


@pytest.fixture(scope="session")
def cheap() -> Iterator[None]:
    """The replay with one tiny training and the cheap studies only."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room, "TRAININGS", (TINY,))
        patch.setattr(room, "STUDIES", {name: room.STUDIES[name] for name in CHEAP})
        yield


@pytest.fixture(scope="session")
def homework(cheap: None, small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Homework:
    """A quick homework, once for all tests."""
    return replay("quick", tmp_path_factory.mktemp("homework"), folder=small_folder)
