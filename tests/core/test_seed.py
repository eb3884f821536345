"""Seeds for different uses are unrelated, and seeded computation leaves no trace."""

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.seed import derive, reproducible

seeds = st.integers(0, 2**64)
paths = st.lists(st.integers(0, 2**20), max_size=3).map(tuple)


@given(seeds, paths)
def test_a_derived_seed_has_63_bits_and_is_always_the_same(
    seed: int, path: tuple[int, ...]
) -> None:
    assert 0 <= derive(seed, *path) < 2**63
    assert derive(seed, *path) == derive(seed, *path)


@given(st.tuples(seeds, paths), st.tuples(seeds, paths))
def test_other_seeds_and_other_paths_give_other_seeds(
    one: tuple[int, tuple[int, ...]], other: tuple[int, tuple[int, ...]]
) -> None:
    same = derive(one[0], *one[1]) == derive(other[0], *other[1])
    assert same == (one == other)


@pytest.mark.parametrize(
    ("one", "other"),
    [((7,), (7, 0)), ((7, 1), (7, 1, 0)), ((2**32,), (0, 1)), ((2**32 + 5, 3), (5, 1, 3))],
)
def test_a_path_is_more_than_the_digits_it_is_made_of(
    one: tuple[int, ...], other: tuple[int, ...]
) -> None:
    assert derive(*one) != derive(*other)


@given(seeds.map(derive))
def test_the_same_seed_gives_the_same_numbers(seed: int) -> None:
    with reproducible(seed):
        first = torch.rand(3)
    with reproducible(seed):
        second = torch.rand(3)
    assert torch.equal(first, second)


def test_afterwards_chance_goes_on_as_if_nothing_had_happened() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    with pytest.raises(ValueError, match="on purpose"), reproducible(1):
        torch.rand(100)
        raise ValueError("on purpose")
    assert torch.equal(torch.rand(3), expected)
    assert not torch.are_deterministic_algorithms_enabled()


def test_pythons_and_numpys_chance_are_seeded_and_given_back_too() -> None:
    def draw() -> tuple[float, float]:
        return random.random(), np.random.rand()

    before = random.getstate(), np.random.get_state()
    expected = draw()
    random.setstate(before[0])
    np.random.set_state(before[1])
    with reproducible(5):
        first = draw()
    with reproducible(5):
        assert draw() == first
    assert draw() == expected
