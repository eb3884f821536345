"""Slow weights go their share of the way, and the fast ones go on from there."""

from copy import deepcopy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convlens.train.optim.lookahead import Lookahead


def parameter(value: float) -> nn.Parameter:
    return nn.Parameter(torch.tensor([value], dtype=torch.float64))


@given(st.integers(1, 6), st.floats(0, 1), st.integers(0, 20))
def test_it_is_the_papers_algorithm(every: int, share: float, steps: int) -> None:
    """On (w - 3)^2, with a momentum that the rounds do not touch."""
    weight = parameter(0.0)
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.5)
    lookahead = Lookahead([weight], every=every, share=share)
    slow, fast, velocity = 0.0, 0.0, 0.0
    for step in range(1, steps + 1):
        weight.grad = (2 * (weight - 3)).detach()
        optimizer.step()
        lookahead.update(step)
        velocity = 0.5 * velocity + 2 * (fast - 3)
        fast -= 0.1 * velocity
        if step % every == 0:
            slow += share * (fast - slow)
            fast = slow
        assert weight.item() == pytest.approx(fast, abs=1e-9)


def test_a_share_of_one_is_the_optimiser_alone() -> None:
    weight = parameter(1.0)
    lookahead = Lookahead([weight], every=1, share=1.0)
    weight.data.fill_(7.5)
    lookahead.update(1)
    assert weight.item() == 7.5


def test_a_round_can_end_early_and_ending_it_twice_changes_nothing() -> None:
    weight = parameter(1.0)
    lookahead = Lookahead([weight], every=100, share=0.25)
    weight.data.fill_(5.0)
    lookahead.end_round()
    assert weight.item() == 2.0
    lookahead.end_round()
    assert weight.item() == 2.0


def test_frozen_parameters_are_left() -> None:
    weight = parameter(1.0)
    weight.requires_grad_(False)
    lookahead = Lookahead([weight], every=1, share=0.5)
    weight.data.fill_(5.0)
    lookahead.end_round()
    assert weight.item() == 5.0


def test_a_saved_state_goes_on() -> None:
    weight = parameter(0.0)
    lookahead = Lookahead([weight], every=2, share=0.5)
    weight.data.fill_(4.0)
    again = parameter(4.0)
    other = Lookahead([again], every=2, share=0.5)
    other.load_state_dict(deepcopy(lookahead.state_dict()))
    other.update(2)
    assert again.item() == 2.0
