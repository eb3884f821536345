"""Every generator goes on where it was captured, also through a file."""

import json
import random

import numpy as np
import pytest
import torch

from convlens.core.chance import Chance, capture_chance, restore_chance
from convlens.core.seed import reproducible


def draw() -> list[float]:
    """A number of each generator, and of the normal ones that keep a second one for later."""
    return [
        random.random(),
        random.gauss(0, 1),
        np.random.rand(),
        np.random.randn(),
        torch.rand(()).item(),
        torch.randn(17).sum().item(),
    ]


@pytest.mark.parametrize("drawn_before", [0, 1, 2])  # an odd number leaves a normal one kept
def test_each_generator_draws_the_same_again(drawn_before: int) -> None:
    with reproducible(1):
        for _ in range(drawn_before):
            random.gauss(0, 1)
            np.random.randn()
        before = capture_chance()
        expected = [draw() for _ in range(3)]
        draw()
        restore_chance(before)
        assert [draw() for _ in range(3)] == expected


def test_capturing_draws_nothing() -> None:
    with reproducible(1):
        expected = draw()
    with reproducible(1):
        capture_chance()
        assert draw() == expected


def test_what_is_captured_is_whole_numbers_and_json() -> None:
    with reproducible(1):
        random.gauss(0, 1)
        np.random.randn()
        found = capture_chance()
        expected = draw()
        numbers = json.loads(json.dumps(found.numbers))
        assert all(not t.is_floating_point() for t in found.tensors.values())
        restore_chance(Chance(tensors=found.tensors, numbers=numbers))
        assert draw() == expected


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA GPU here")
def test_a_gpus_generator_draws_the_same_again() -> None:
    with reproducible(1):
        before = capture_chance()
        expected = torch.rand(5, device="cuda")
        restore_chance(before)
        assert torch.equal(torch.rand(5, device="cuda"), expected)
