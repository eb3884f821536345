"""A process that is alone has nobody to ask, and no cost of asking."""

from collections.abc import Generator
from contextlib import contextmanager

import pytest
import torch

from convlens.core.errors import RunError
from convlens.train.parallel.world import ALONE


def test_alone_all_is_as_it_was() -> None:
    tensor = torch.ones(2)
    assert ALONE.alone
    assert ALONE.sum(tensor) is tensor and ALONE.gather(tensor) == [tensor]
    assert ALONE.any(True, False) == (True, False)
    assert ALONE.first(lambda: 3) == ALONE.everywhere(lambda: 3) == 3
    assert ALONE.about() == {}


def test_what_the_first_holds_is_let_go_also_after_an_error() -> None:
    told: list[str] = []

    @contextmanager
    def holding() -> Generator[None]:
        told.append("taken")
        try:
            yield
        finally:
            told.append("let go")

    with pytest.raises(RunError), ALONE.first_holds(holding()):
        told.append("inside")
        raise RunError("no")
    assert told == ["taken", "inside", "let go"]
