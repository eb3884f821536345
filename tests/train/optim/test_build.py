"""The optimiser is that of the settings."""

import json
from collections.abc import Sequence
from copy import deepcopy
from typing import Literal

import pytest
import torch
from torch import Tensor, nn

from convlens.train.optim.build import build_optimizer, set_learning_rate
from convlens.train.optim.muon import Muon
from convlens.train.optim.settings import TrainConfig
from tests.strategies import normal


def norms_and_filters() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    for parameter in model.parameters():
        nn.init.uniform_(parameter, 1, 2)
        parameter.grad = torch.zeros_like(parameter)
    return model


def test_decay_shrinks_weights_and_leaves_biases_and_norms() -> None:
    model = norms_and_filters()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    build_optimizer(model, TrainConfig(lr=0.5, weight_decay=0.1)).step()
    for name, parameter in model.named_parameters():
        factor = 1 - 0.5 * 0.1 if name in {"0.weight", "3.weight"} else 1
        torch.testing.assert_close(parameter.detach(), before[name] * factor)


@pytest.mark.parametrize("nesterov", [False, True])
def test_the_steps_are_those_of_momentum(nesterov: bool) -> None:
    weight = nn.Parameter(torch.tensor([[3.0]]))
    model = nn.ParameterList([weight])
    optimizer = build_optimizer(model, TrainConfig(lr=0.1, momentum=0.5, nesterov=nesterov))
    expected, velocity = 3.0, 0.0
    for gradient in (1.0, -2.0, 4.0):
        weight.grad = torch.tensor([[gradient]])
        optimizer.step()
        velocity = 0.5 * velocity + gradient
        expected -= 0.1 * (gradient + 0.5 * velocity if nesterov else velocity)
        assert weight.item() == pytest.approx(expected)


def test_frozen_parameters_are_not_trained() -> None:
    model = norms_and_filters()
    model[0].requires_grad_(False)
    optimizer = build_optimizer(model, TrainConfig())
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert trained == {id(p) for p in model.parameters() if p.requires_grad}


def test_under_muon_a_frozen_first_layer_counts_as_the_first() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 3), nn.Linear(3, 2))
    model[0].requires_grad_(False)
    optimizer = build_optimizer(model, TrainConfig(optimizer="muon", lr=0.1))
    (turned,) = (group["params"] for group in optimizer.param_groups if "rounds" in group)
    assert [id(parameter) for parameter in turned] == [id(model[1].weight)]


def deep() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.Conv2d(4, 6, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(6 * 16, 8),
        nn.Linear(8, 3),
    )


def trained(
    model: nn.Module, optimizer: torch.optim.Optimizer, seeds: Sequence[int] = (1, 2, 3)
) -> list[Tensor]:
    """The parameters after a step for each seed, by gradients drawn from it."""
    for seed in seeds:
        for number, parameter in enumerate(model.parameters()):
            parameter.grad = normal(*parameter.shape, seed=100 * seed + number, dtype=torch.float32)
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


OPTIMIZERS = (
    TrainConfig(lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.1),
    TrainConfig(optimizer="adamw", lr=0.01, betas=(0.8, 0.99), weight_decay=0.1),
    TrainConfig(optimizer="muon", lr=0.1, momentum=0.9, weight_decay=0.1, rest_lr=0.05),
    TrainConfig(optimizer="muon", lr=0.1, rest="adamw", weight_decay=0.1, rest_lr=0.01),
)


def test_adamw_is_torchs_to_the_last_bit() -> None:
    ours, theirs = deep(), deep()
    weights = [p for p in theirs.parameters() if p.ndim > 1]
    others = [p for p in theirs.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": weights, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}],
        lr=0.01,
        betas=(0.8, 0.99),
    )
    found = trained(ours, build_optimizer(ours, OPTIMIZERS[1]))
    assert all(map(torch.equal, found, trained(theirs, optimizer)))


@pytest.mark.parametrize("rest", ["sgd", "adamw"])
def test_under_muon_each_part_steps_as_if_alone(rest: Literal["sgd", "adamw"]) -> None:
    config = TrainConfig(
        optimizer="muon", lr=0.1, muon_momentum=0.8, rest=rest, rest_lr=0.02, weight_decay=0.1
    )
    model, by_muon, by_rest = deep(), deep(), deep()
    found = trained(model, build_optimizer(model, config))
    inner = [by_muon[2].weight, by_muon[5].weight]
    muon = Muon(inner, lr=0.1, momentum=0.8, weight_decay=0.1)  # pyright: ignore[reportArgumentType]
    alone = trained(by_muon, muon)
    plain = TrainConfig(optimizer=rest, lr=0.02, weight_decay=0.1)
    others = trained(by_rest, build_optimizer(by_rest, plain))
    names = [name for name, _ in model.named_parameters()]
    for name, new, one, other in zip(names, found, alone, others, strict=True):
        assert torch.equal(new, one if name in {"2.weight", "5.weight"} else other), name


def test_a_network_of_two_layers_has_none_between_them_for_muon() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    optimizer = build_optimizer(model, TrainConfig(optimizer="muon"))
    assert isinstance(optimizer, torch.optim.SGD)
    assert sum(len(group["params"]) for group in optimizer.param_groups) == 4


@pytest.mark.parametrize("config", OPTIMIZERS)
def test_every_parameter_is_in_one_group(config: TrainConfig) -> None:
    model = deep()
    groups = build_optimizer(model, config).param_groups
    found = sorted(id(p) for group in groups for p in group["params"])
    assert found == sorted(id(p) for p in model.parameters())
    for group in groups:
        assert group["weight_decay"] == 0 or all(p.ndim > 1 for p in group["params"])


@pytest.mark.parametrize("config", OPTIMIZERS)
def test_a_saved_state_goes_on_to_the_same_bits(config: TrainConfig) -> None:
    straight, halted = deep(), deep()
    expected = trained(straight, build_optimizer(straight, config), (1, 2, 3, 4))
    optimizer = build_optimizer(halted, config)
    trained(halted, optimizer, (1, 2))
    saved, again = deepcopy(optimizer.state_dict()), deepcopy(halted)
    optimizer = build_optimizer(again, config)
    optimizer.load_state_dict(saved)
    assert all(map(torch.equal, trained(again, optimizer, (3, 4)), expected))


@pytest.mark.parametrize("config", OPTIMIZERS)
def test_a_state_is_tensors_and_plain_settings(config: TrainConfig) -> None:
    model = deep()
    optimizer = build_optimizer(model, config)
    trained(model, optimizer, (1,))
    saved = optimizer.state_dict()
    values = [value for state in saved["state"].values() for value in state.values()]
    assert values and all(value is None or isinstance(value, Tensor) for value in values)
    assert json.loads(json.dumps(saved["param_groups"]))


def test_a_rate_reaches_each_group_by_its_ratio() -> None:
    model = deep()
    optimizer = build_optimizer(model, OPTIMIZERS[2])
    set_learning_rate(optimizer, 0.02)
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([0.02, 0.01, 0.01])
    optimizer.load_state_dict(optimizer.state_dict())
    set_learning_rate(optimizer, 0.04)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    trained(model, optimizer, (1,))
    last = model[6].bias
    assert isinstance(last, Tensor)
    gradient = normal(3, seed=100 + len(before) - 1, dtype=torch.float32)
    torch.testing.assert_close(last.detach(), before[-1] - 0.02 * gradient)
