"""The learned kernel ends where it must, from the notebook's start and from any other."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from convlens.course.homework import kernel as room
from convlens.course.homework.kernel import bounds, learn
from convlens.ops.steps.learn import LearningStep, learn_kernel


def test_the_notebooks_start_gives_the_notebooks_kernel() -> None:
    learned = learn(range(1))
    assert [round(entry, 4) for entry in learned.kernel] == [1.0383, -0.9430]
    assert len(learned.steps) == 10


def test_every_start_ends_within_the_bounds() -> None:
    learned = learn(range(100))
    assert (learned.num_within, learned.num_starts) == (100, 100)
    assert learned.agrees


def test_the_bounds_are_as_tight_as_the_worst_start_makes_them() -> None:
    """The corner (-1, 1) / sqrt 2 is furthest across, (1, 1) along: no start has both at once."""
    error, loss = bounds()
    ends = learn(range(200))
    assert max(abs(a - b) for a, b in zip(ends.kernel, room.TRUTH, strict=True)) < error
    assert error < 0.096 and loss < 0.56


def test_another_gradient_descent_does_not_end_within_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def slower(*tensors: Any, lr: float, num_epochs: int) -> Iterator[LearningStep]:
        return learn_kernel(*tensors, lr=lr / 2, num_epochs=num_epochs)

    monkeypatch.setattr(room, "learn_kernel", slower)
    learned = learn(range(10))
    assert not learned.agrees
    assert replace(learned, num_within=10).agrees
