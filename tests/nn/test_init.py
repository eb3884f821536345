"""Weights start with the spread their initialiser promises, and none is missed in silence."""

import math

import pytest
import torch
from torch import nn

from convlens.core.errors import ShapeError, UnknownName
from convlens.nn.init import INITIALIZERS, initialize


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(20, 30, 5), nn.Sequential(nn.BatchNorm2d(30), nn.Conv1d(20, 40, 5)),
        nn.Linear(300, 200), nn.Conv3d(8, 10, 3),
    )  # fmt: skip


def fans(weight: torch.Tensor) -> tuple[int, int]:
    taps = math.prod(weight.shape[2:])
    return weight.shape[1] * taps, weight.shape[0] * taps


def filters(model: nn.Module) -> list[torch.Tensor]:
    return [p.detach() for p in model.parameters() if p.ndim > 1]


def test_xavier_is_uniform_with_variance_2_over_both_fans() -> None:
    torch.manual_seed(0)
    model = network()
    initialize(model, "xavier")
    for weight in filters(model):
        fan_in, fan_out = fans(weight)
        bound = math.sqrt(6 / (fan_in + fan_out))
        assert 0.99 * bound < weight.abs().max().item() <= bound * (1 + 1e-6)
        assert weight.var().item() == pytest.approx(2 / (fan_in + fan_out), rel=0.1)


def test_kaiming_is_normal_with_variance_2_over_fan_in() -> None:
    torch.manual_seed(0)
    model = network()
    initialize(model, "kaiming")
    for weight in filters(model):
        fan_in, _ = fans(weight)
        assert weight.var().item() == pytest.approx(2 / fan_in, rel=0.1)
        within_one = (weight.abs() < math.sqrt(2 / fan_in)).double().mean().item()
        assert within_one == pytest.approx(0.683, abs=0.02)  # of a normal distribution


@pytest.mark.parametrize("name", INITIALIZERS)
def test_biases_and_norms_stay_as_they_are(name: str) -> None:
    model = network()
    before = {key: value.clone() for key, value in model.state_dict().items() if value.ndim < 2}
    initialize(model, name)
    for key, value in before.items():
        assert torch.equal(model.state_dict()[key], value)


def test_torch_leaves_every_weight_as_it_was() -> None:
    model = network()
    before = [weight.clone() for weight in filters(model)]
    initialize(model, "torch")
    assert all(torch.equal(*pair) for pair in zip(before, filters(model), strict=True))


@pytest.mark.parametrize("name", ["xavier", "kaiming"])
def test_every_weight_starts_anew(name: str) -> None:
    model = network()
    before = [weight.clone() for weight in filters(model)]
    initialize(model, name)
    assert not any(torch.equal(*pair) for pair in zip(before, filters(model), strict=True))


@pytest.mark.parametrize("name", ["xavier", "kaiming", "torch"])
def test_a_lazy_layer_without_weights_is_an_error(name: str) -> None:
    model = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Sequential(nn.LazyLinear(3)))
    with pytest.raises(ShapeError, match=r"^1\.0: a lazy layer has no weights"):
        initialize(model, name)


def test_an_unknown_initialiser_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="no initialiser 'xavir'; did you mean 'xavier'"):
        initialize(network(), "xavir")
