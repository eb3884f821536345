"""Weights start with the spread their initialiser promises, and none is missed in silence."""

import copy
import math
from typing import get_args

import pytest
import torch
from torch import nn

from convlens.core.errors import ConfigError, UnknownName
from convlens.nn.init import INITIALIZERS, InitializerName, initialize, start_when_real


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


def test_frozen_weights_stay() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Conv2d(2, 2, 3))
    model[0].requires_grad_(False)
    before = [layer.weight.detach().clone() for layer in (model[0], model[1])]  # type: ignore[union-attr]
    initialize(model, "kaiming")
    after = [layer.weight for layer in (model[0], model[1])]
    assert torch.equal(before[0], after[0])  # type: ignore[arg-type]
    assert not torch.equal(before[1], after[1])  # type: ignore[arg-type]


def test_torch_leaves_every_weight_as_it_was() -> None:
    model = network()
    before = [weight.clone() for weight in filters(model)]
    initialize(model, "torch")
    assert all(torch.equal(*pair) for pair in zip(before, filters(model), strict=True))


@pytest.mark.parametrize("name", [name for name in INITIALIZERS if name != "torch"])
def test_every_weight_starts_anew(name: str) -> None:
    model = network()
    before = [weight.clone() for weight in filters(model)]
    initialize(model, name)
    assert not any(torch.equal(*pair) for pair in zip(before, filters(model), strict=True))


def spread(weight: torch.Tensor) -> float:
    """The greatest weight, in units of Xavier's bound: 1 if Xavier drew it."""
    return weight.detach().abs().max().item() / math.sqrt(6 / sum(fans(weight)))


def lazy_network() -> nn.Sequential:
    return nn.Sequential(
        nn.LazyConv2d(30, 5), nn.Sequential(nn.LazyConvTranspose2d(30, 5)), nn.Flatten(),
        nn.LazyLinear(200),
    )  # fmt: skip


def test_a_lazy_layer_is_started_when_it_becomes_real() -> None:
    torch.manual_seed(0)
    model = lazy_network()
    initialize(model, "xavier")
    model(torch.zeros(1, 20, 8, 8))
    assert type(model[0]) is nn.Conv2d
    for weight in filters(model):
        assert 0.98 < spread(weight) <= 1 + 1e-6
    before = [weight.clone() for weight in filters(model)]
    model(torch.zeros(1, 20, 8, 8))
    assert all(torch.equal(*pair) for pair in zip(before, filters(model), strict=True))
    assert not any(layer._forward_pre_hooks for layer in model.modules())  # pyright: ignore[reportPrivateUsage]


def test_the_copy_of_a_lazy_layer_and_the_layer_are_started_each_on_its_own() -> None:
    torch.manual_seed(0)
    model = lazy_network()
    initialize(model, "xavier")
    copied = copy.deepcopy(model)
    copied(torch.zeros(1, 20, 8, 8))
    model(torch.zeros(1, 20, 8, 8))
    for weight in (*filters(model), *filters(copied)):
        assert 0.98 < spread(weight) <= 1 + 1e-6


def test_the_last_of_two_starts_of_a_lazy_layer_counts() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.LazyLinear(300))
    initialize(model, "normal")
    initialize(model, "xavier")
    model(torch.zeros(1, 200))
    assert 0.98 < spread(filters(model)[0]) <= 1 + 1e-6


def test_weights_loaded_into_a_lazy_layer_are_not_started_anew() -> None:
    model = nn.Sequential(nn.LazyLinear(3))
    initialize(model, "xavier")
    trained = nn.Sequential(nn.Linear(5, 3)).state_dict()
    model.load_state_dict(trained)
    model(torch.zeros(1, 5))
    assert torch.equal(model.state_dict()["0.weight"], trained["0.weight"])


def test_initialising_within_a_constructor_reaches_lazy_layers() -> None:
    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.LazyConv2d(30, 5), nn.Flatten(), nn.LazyLinear(200))
            initialize(self, "xavier")  # d2l's AlexNet does this, and nothing happens there

    torch.manual_seed(0)
    model = Network()
    model.net(torch.zeros(1, 20, 8, 8))
    for weight in filters(model):
        assert 0.98 < spread(weight) <= 1 + 1e-6


@pytest.mark.parametrize("name", INITIALIZERS)
def test_a_module_without_weights_to_start_is_refused(name: str) -> None:
    class TooEarly(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            initialize(self, name)
            self.layer = nn.Linear(2, 2)

    with pytest.raises(ConfigError, match="TooEarly holds no convolution or linear layer"):
        TooEarly()
    with pytest.raises(ConfigError, match="after the layers are made"):
        initialize(nn.Sequential(nn.ReLU(), nn.BatchNorm2d(2)), name)


@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("name", ["kaiming", "xavier", "lecun"])
def test_a_transposed_convolution_starts_like_the_ordinary_one(name: str, groups: int) -> None:
    ordinary = nn.Conv2d(60, 20, 3, groups=groups)
    transposed = nn.ConvTranspose2d(60, 20, 3, groups=groups)
    for layer in (ordinary, transposed):
        torch.manual_seed(0)
        initialize(layer, name)
    from_ordinary = ordinary.weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    assert torch.equal(transposed.weight, from_ordinary)
    if name == "kaiming":
        fan_in = 60 // groups * 9
        assert transposed.weight.var().item() == pytest.approx(2 / fan_in, rel=0.1)


def test_torch_leaves_a_transposed_convolution_as_it_was() -> None:
    layer = nn.ConvTranspose2d(4, 6, 3)
    before = layer.weight.clone()
    initialize(layer, "torch")
    assert torch.equal(layer.weight, before)


def test_lecun_is_normal_with_variance_1_over_fan_in() -> None:
    torch.manual_seed(0)
    model = network()
    initialize(model, "lecun")
    for weight in filters(model):
        assert weight.var().item() == pytest.approx(1 / fans(weight)[0], rel=0.1)


def test_normal_has_one_standard_deviation_whatever_the_size() -> None:
    torch.manual_seed(0)
    model = network()
    initialize(model, "normal")
    for weight in filters(model):
        assert weight.std().item() == pytest.approx(0.01, rel=0.1)


def test_orthogonal_rows_are_orthonormal() -> None:
    layer = nn.Conv2d(4, 6, 3)
    initialize(layer, "orthogonal")
    rows = layer.weight.detach().flatten(1)
    torch.testing.assert_close(rows @ rows.T, torch.eye(6), rtol=0, atol=1e-5)


def test_the_names_of_the_settings_are_the_names_of_the_table() -> None:
    assert sorted(get_args(InitializerName)) == list(INITIALIZERS)


def test_a_weight_that_is_computed_is_refused() -> None:
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)))
    with pytest.raises(ConfigError, match="computed from others"):
        initialize(model, "xavier")


def test_an_unknown_initialiser_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match="no initialiser 'xavir'; did you mean 'xavier'"):
        initialize(network(), "xavir")


def test_a_layer_that_is_real_is_started_at_once_and_a_lazy_one_when_it_has_its_type() -> None:
    seen: list[type] = []

    def start(layer: nn.Module) -> None:
        seen.append(type(layer))

    start_when_real(nn.ReLU(), start)
    lazy = nn.LazyBatchNorm2d()
    start_when_real(lazy, start)
    assert seen == [nn.ReLU]
    lazy(torch.zeros(2, 3, 4, 4))
    lazy(torch.zeros(2, 3, 4, 4))
    assert seen == [nn.ReLU, nn.BatchNorm2d]
