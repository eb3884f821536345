"""What the tests of the operations share."""

from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, settings
from jaxtyping import config

# A first call into torch takes long, and a busy machine draws slowly: neither is a fault.
settings.register_profile("ops", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ops")


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tensors this small are done before a second thread has started."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def as_a_user() -> Iterator[None]:
    """Call the library without the type checks of the tests, so that its own checks speak."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
