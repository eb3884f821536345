"""What the tests of the homework share."""

from pathlib import Path

import pytest

from convlens.course.homework.replay import Homework
from tests.course.homework.tiny import tiny_homework


@pytest.fixture(scope="session")
def homework(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Homework:
    """A tiny quick homework, once for all tests."""
    return tiny_homework(tmp_path_factory.mktemp("homework"), small_folder)
