"""The optimiser is that of the settings."""

import pytest
import torch
from torch import nn

from convlens.train.optim.build import build_optimizer
from convlens.train.optim.settings import TrainConfig


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
