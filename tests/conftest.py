"""What all tests share: a small data set on disk and in memory."""

from pathlib import Path

import hypothesis
import pytest

from convlens.data.catalog import Splits, split
from convlens.data.fashion_mnist import load_fashion_mnist
from convlens.data.image_set import DataSet
from tests.idx_files import write_small_fashion_mnist

# No test asserts how long something takes; machines differ, and their load too.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")


@pytest.fixture(scope="session")
def small_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the four files of a small Fashion-MNIST; read it, do not write to it."""
    return write_small_fashion_mnist(tmp_path_factory.mktemp("small-fashion-mnist"))


@pytest.fixture(scope="session")
def small(small_folder: Path) -> DataSet:
    """The small Fashion-MNIST in memory."""
    return load_fashion_mnist(small_folder)


@pytest.fixture(scope="session")
def small_splits(small: DataSet) -> Splits:
    """The small Fashion-MNIST, validated on its test images."""
    return split(small, "test")
