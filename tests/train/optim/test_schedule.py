"""The learning rate of a step is what its schedule says, to the last digit."""

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim.lr_scheduler import CosineAnnealingLR, LRScheduler, MultiStepLR

from convlens.train.optim.schedule import height, learning_rate
from convlens.train.optim.settings import Knot, TrainConfig

fractions = st.floats(0, 1, exclude_max=True)
rates_of_learning = st.floats(1e-6, 1e3)
nums_steps = st.integers(1, 300)


def one_cycle(lr: float, warmup: float) -> TrainConfig:
    return TrainConfig(lr=lr, warmup=warmup, schedule="one-cycle")


def rates(config: TrainConfig, num_steps: int) -> list[float]:
    return [learning_rate(config, step, num_steps) for step in range(num_steps)]


@given(rates_of_learning, fractions, nums_steps)
def test_one_cycle_rises_to_lr_and_then_falls_but_not_to_zero(
    lr: float, warmup: float, num_steps: int
) -> None:
    config = one_cycle(lr, warmup)
    found = rates(config, num_steps)
    peak = found.index(max(found))
    assert max(found) == pytest.approx(config.lr)
    assert min(found) > 0
    assert all(before < after for before, after in pairwise(found[: peak + 1]))
    after_the_peak = found[peak + 1 :]
    assert all(before > after for before, after in pairwise(after_the_peak))
    assert all(rate <= max(found) for rate in after_the_peak)


@given(rates_of_learning, fractions, nums_steps)
def test_one_cycle_rises_for_the_warm_up_and_no_longer(
    lr: float, warmup: float, num_steps: int
) -> None:
    config = one_cycle(lr, warmup)
    found = rates(config, num_steps)
    assert abs(found.index(max(found)) - config.warmup * num_steps) <= 1


@given(rates_of_learning, fractions, st.integers(10, 300))
def test_one_cycle_ends_one_step_above_zero(lr: float, warmup: float, num_steps: int) -> None:
    config = one_cycle(lr, warmup)
    found = rates(config, num_steps)
    falling = found[found.index(max(found)) + 1 :]
    if len(falling) > 1:
        drop = falling[-2] - falling[-1]
        assert falling[-1] == pytest.approx(drop)


def test_without_warm_up_the_first_step_is_the_largest() -> None:
    config = TrainConfig(lr=0.5, schedule="one-cycle", warmup=0.0)
    assert rates(config, 5) == pytest.approx([0.5, 0.4, 0.3, 0.2, 0.1])


@given(st.floats(1e-6, 1e3), nums_steps, fractions)
def test_constant_is_constant(lr: float, num_steps: int, warmup: float) -> None:
    assert set(rates(TrainConfig(lr=lr, warmup=warmup), num_steps)) == {lr}


@given(rates_of_learning, fractions, nums_steps)
def test_one_cycle_is_the_formula_that_measured_recipes_used(
    lr: float, warmup: float, num_steps: int
) -> None:
    """Bit for bit, so that a recipe's claim still is about this code."""
    config = one_cycle(lr, warmup)
    rising = math.ceil(config.warmup * num_steps)
    expected = [
        config.lr * (step + 1) / rising
        if step < rising
        else config.lr * (num_steps - step) / (num_steps - rising)
        for step in range(num_steps)
    ]
    assert rates(config, num_steps) == expected


def by_torch(kind: Callable[..., LRScheduler], num: int, **how: Any) -> list[float]:
    """The rates that a scheduler of torch gives an optimiser of rate 0.5."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    scheduler = kind(optimizer, **how)
    found: list[float] = []
    for _ in range(num):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return found


@given(nums_steps)
def test_cosine_without_warm_up_is_torchs(num_steps: int) -> None:
    config = TrainConfig(lr=0.5, schedule="cosine", warmup=0.0)
    expected = by_torch(CosineAnnealingLR, num_steps, T_max=num_steps)
    assert rates(config, num_steps) == pytest.approx(expected, abs=1e-12)


def test_cosine_warms_up_as_one_cycle_does_and_falls_to_the_half_half_way() -> None:
    config = TrainConfig(lr=1.0, schedule="cosine", warmup=0.5)
    assert rates(config, 8) == pytest.approx(
        [0.25, 0.5, 0.75, 1, 1, (1 + math.sqrt(0.5)) / 2, 0.5, (1 - math.sqrt(0.5)) / 2]
    )


def test_step_is_torchs_multi_step() -> None:
    config = TrainConfig(lr=0.5, schedule="step", milestones=(0.3, 0.55), gamma=0.2)
    expected = by_torch(MultiStepLR, 100, milestones=[30, 55], gamma=0.2)
    assert rates(config, 100) == pytest.approx(expected)


def knotted(*knots: Knot, lr: float = 1.0) -> TrainConfig:
    return TrainConfig(lr=lr, schedule="knots", knots=knots)


def test_knots_are_met_at_the_middle_of_each_step() -> None:
    config = knotted((0.0, 0.0), (0.5, 1.0), (1.0, 0.5), lr=2.0)
    assert rates(config, 4) == pytest.approx([0.5, 1.5, 1.75, 1.25])


def test_two_knots_at_one_share_are_a_jump() -> None:
    assert rates(knotted((0.0, 1.0), (0.5, 1.0), (0.5, 0.25), (1.0, 0.25)), 4) == [1, 1, 0.25, 0.25]
    assert height([(0.0, 1.0), (0.5, 1.0), (0.5, 0.25), (1.0, 0.25)], 0.5) == 0.25
    assert height([(0.0, 1.0), (1.0, 0.5), (1.0, 0.25)], 1.0) == 0.25


shares = st.floats(0, 1)
lines = st.lists(st.tuples(shares, shares), max_size=4).map(
    lambda inner: [(0.0, 0.5), *sorted(inner, key=lambda knot: knot[0]), (1.0, 0.25)]
)


@given(lines, shares)
def test_a_height_lies_between_the_knots_around_it(line: list[Knot], share: float) -> None:
    assert min(h for _, h in line) - 1e-9 <= height(line, share) <= max(h for _, h in line) + 1e-9


@given(st.integers(1, 20), st.integers(1, 20), shares, shares)
def test_the_mean_rate_is_the_area_under_the_line(
    rise: int, fall: int, start: float, end: float
) -> None:
    """Where knots lie between steps."""
    num_steps = rise + fall
    found = rates(knotted((0.0, start), (rise / num_steps, 1.0), (1.0, end)), num_steps)
    area = rise * (start + 1) / 2 + fall * (1 + end) / 2
    assert sum(found) == pytest.approx(area)


def test_a_line_that_ends_at_zero_has_no_step_of_rate_zero() -> None:
    assert min(rates(knotted((0.0, 0.0), (0.2, 1.0), (1.0, 0.0)), 1_000)) > 0


@pytest.mark.parametrize("schedule", ["constant", "step", "cosine", "one-cycle"])
def test_a_training_of_one_step_takes_it(schedule: str) -> None:
    config = TrainConfig(lr=0.5, schedule=schedule)  # pyright: ignore[reportArgumentType]
    assert rates(config, 1) == [0.5]
