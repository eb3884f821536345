"""What all tests share: a small data set on disk and in memory."""

import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import torch
from jaxtyping import config

from convlens.data.catalog import Splits, split
from convlens.data.image_set import DataSet
from convlens.data.sets.fashion_mnist import load_fashion_mnist
from tests.idx_files import write_small_fashion_mnist

# No test asserts how long something takes, nor how long an example takes to draw; machines
# differ, and their load too.
hypothesis.settings.register_profile(
    "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")

# A shell that starts the tests in the background has them, and what they start, ignore Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Tensors in tests are small: a second thread gains nothing, and spinning for it starves the
# processes that some tests start.
torch.set_num_threads(1)


@pytest.fixture
def as_a_user() -> Iterator[None]:
    """Call the library without the type checks of the tests, so that its own checks speak."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)


@pytest.fixture(scope="session")
def fashion_mnist() -> DataSet:
    """The whole of Fashion-MNIST, read once."""
    return load_fashion_mnist()


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
