"""The average is its formula, keeps to the model's layout, and gives the weights back."""

from copy import deepcopy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.train.optim.average import WeightAverage, decay_after
from tests.strategies import normal, seeds

decays = st.floats(0, 0.999)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten(), nn.Linear(12, 2))


def move(model: nn.Module, seed: int) -> None:
    """Other weights, means and variances, and one batch more counted."""
    with torch.no_grad():
        for number, tensor in enumerate(model.state_dict().values()):
            if tensor.is_floating_point():
                tensor.copy_(normal(*tensor.shape, seed=100 * seed + number))
            else:
                tensor.add_(1)


def floats(model: nn.Module) -> list[Tensor]:
    return [t.clone() for t in model.state_dict().values() if t.is_floating_point()]


@given(decays, st.integers(1, 30))
def test_the_average_of_constant_weights_is_the_weights(decay: float, steps: int) -> None:
    model = network()
    average, before = WeightAverage(model, decay), floats(model)
    for step in range(1, steps + 1):
        average.update(step)
    average.show()
    assert all(map(torch.equal, floats(model), before))


@given(decays, st.integers(1, 12), seeds)
def test_it_is_the_formula_on_weights_and_on_batch_norms_numbers(
    decay: float, steps: int, seed: int
) -> None:
    model = network()
    average, expected = WeightAverage(model, decay), [t.double() for t in floats(model)]
    for step in range(1, steps + 1):
        move(model, seed + step)
        average.update(step)
        kept = min(decay, (1 + step) / (10 + step))
        expected = [
            kept * old + (1 - kept) * new.double()
            for old, new in zip(expected, floats(model), strict=True)
        ]
    average.show()
    for found, wanted in zip(floats(model), expected, strict=True):
        torch.testing.assert_close(found.double(), wanted, rtol=1e-4, atol=1e-5)


def test_weights_come_back_bit_for_bit_and_whole_numbers_are_left() -> None:
    model = network()
    average = WeightAverage(model, 0.9)
    move(model, 1)
    average.update(1)
    before, counted = floats(model), model.state_dict()["1.num_batches_tracked"].clone()
    average.show()
    average.show()  # once more changes nothing
    assert not any(map(torch.equal, floats(model), before))
    assert torch.equal(model.state_dict()["1.num_batches_tracked"], counted)
    average.hide()
    average.hide()
    assert all(map(torch.equal, floats(model), before))


def test_without_decay_it_is_the_last_weights() -> None:
    model = network()
    average = WeightAverage(model, 0.0)
    move(model, 3)
    average.update(1)
    expected = floats(model)
    average.show()
    assert all(map(torch.equal, floats(model), expected))


def test_the_decay_rises_to_the_settings() -> None:
    found = [decay_after(step, 0.9) for step in range(1, 200)]
    assert found[0] == pytest.approx(2 / 11)
    assert found == sorted(found) and found[-1] == 0.9


@pytest.mark.parametrize("shown", [False, True])
def test_a_saved_state_goes_on_to_the_same_bits(shown: bool) -> None:
    model = network()
    average = WeightAverage(model, 0.9)
    for step in (1, 2):
        move(model, step)
        average.update(step)
    if shown:
        average.show()
    saved, again = deepcopy(average.state_dict()), deepcopy(model)
    other = WeightAverage(again, 0.9)
    other.load_state_dict(saved)
    for one, of in ((average, model), (other, again)):
        one.hide()
        move(of, 3)
        one.update(3)
        one.show()
    assert all(map(torch.equal, floats(again), floats(model)))


def test_it_follows_a_model_whose_layout_changes() -> None:
    model = network()
    average = WeightAverage(model, 0.0)
    model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    move(model, 1)
    average.update(1)
    expected = floats(model)
    move(model, 2)
    average.show()
    assert all(map(torch.equal, floats(model), expected))
    assert model.state_dict()["0.weight"].is_contiguous(memory_format=torch.channels_last)
