"""What the tests of the operations share."""

from collections.abc import Iterator

import pytest
from hypothesis import settings
from jaxtyping import config

settings.register_profile("ops", deadline=None)  # a first call into torch takes long
settings.load_profile("ops")


@pytest.fixture
def as_a_user() -> Iterator[None]:
    """Call the library without the type checks of the tests, so that its own checks speak."""
    config.update("jaxtyping_disable", True)
    yield
    config.update("jaxtyping_disable", False)
