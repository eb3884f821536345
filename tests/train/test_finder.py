"""The sweep tries rising rates on a copy, and its suggestion follows its rule."""

from copy import deepcopy
from itertools import pairwise

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.errors import ConfigError
from convlens.data.batches import Batches
from convlens.data.catalog import Splits
from convlens.data.transform import Prepare
from convlens.train.finder import Sweep, rates_between, sweep
from convlens.train.optim import TrainConfig

CONFIG = TrainConfig(batch_size=50)


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(),
        nn.Dropout(0.1), nn.Linear(256, 10),
    )  # fmt: skip


def batches(splits: Splits) -> Batches:
    return Batches(splits.train[:200], 50, Prepare(28), shuffle_seed=0)


@given(st.floats(1e-8, 1), st.floats(1.1, 1e8), st.integers(2, 50))
def test_rates_rise_by_the_same_factor(low: float, factor: float, num_steps: int) -> None:
    found = rates_between(low, low * factor, num_steps)
    assert (found[0], found[-1]) == (low, pytest.approx(low * factor))
    ratios = [after / before for before, after in pairwise(found)]
    assert ratios == pytest.approx([factor ** (1 / (num_steps - 1))] * (num_steps - 1))


@pytest.mark.parametrize(("low", "high", "num"), [(0.0, 1.0, 9), (1.0, 1.0, 9), (0.1, 1.0, 1)])
def test_rates_that_do_not_rise_are_refused(low: float, high: float, num: int) -> None:
    with pytest.raises(ConfigError):
        rates_between(low, high, num)


def test_the_suggestion_is_a_tenth_of_the_rate_with_the_lowest_smoothed_loss() -> None:
    found = Sweep(
        rates=(0.1, 0.2, 0.456, 0.8), losses=(3.0, 1.0, 2.0, 4.0), smoothed=(3.0, 2.0, 1.5, 2.0)
    )
    assert found.lowest == 0.456
    assert found.suggestion == 0.046


def test_model_images_and_chance_are_left_as_they_were(small_splits: Splits) -> None:
    model = network().eval()
    before, data = deepcopy(model.state_dict()), batches(small_splits)
    pixels, chance = data.data.images.clone(), torch.random.get_rng_state()
    sweep(model, data, CONFIG, num_steps=12)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert not model.training
    assert torch.equal(data.data.images, pixels)
    assert torch.equal(torch.random.get_rng_state(), chance)


def test_losses_are_those_of_training_steps_with_these_rates(small_splits: Splits) -> None:
    model, data = nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), batches(small_splits)
    by_hand = deepcopy(model)
    found = sweep(model, data, CONFIG, low=1e-3, high=1e-1, num_steps=6)
    steps = [*data.epoch(1), *data.epoch(2)][:6]
    for (x, y), rate, loss in zip(steps, found.rates, found.losses, strict=True):
        expected = nn.functional.cross_entropy(by_hand(x), y)
        assert loss == pytest.approx(expected.item(), rel=1e-4)
        by_hand.zero_grad()
        expected.backward()
        with torch.no_grad():
            for parameter in by_hand.parameters():
                assert parameter.grad is not None
                parameter.sub_(rate * parameter.grad)


def test_it_ends_where_the_loss_breaks(small_splits: Splits) -> None:
    found = sweep(network(), batches(small_splits), CONFIG, low=1e-3, high=1e6, num_steps=60)
    assert 5 < len(found.rates) < 60
    assert len(found.rates) == len(found.losses) == len(found.smoothed)
    assert found.rates[0] < found.lowest < found.rates[-1]


def test_the_first_smoothed_loss_is_the_loss(small_splits: Splits) -> None:
    found = sweep(network(), batches(small_splits), CONFIG, num_steps=3)
    assert found.smoothed[0] == pytest.approx(found.losses[0])


def test_a_network_that_gives_no_number_is_refused(small_splits: Splits) -> None:
    class Nothing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.full((10,), torch.nan))

        def forward(self, x: Tensor) -> Tensor:
            return self.weight.expand(len(x), 10)

    with pytest.raises(ConfigError, match="before the first step"):
        sweep(Nothing(), batches(small_splits), CONFIG)
