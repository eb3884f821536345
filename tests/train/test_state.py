"""A state brought back goes on bit for bit as the training it was captured of."""

import json
from collections.abc import Callable
from copy import deepcopy

import pytest
import torch
from torch import nn

from convlens.core.seed import reproducible
from convlens.train.state import State, capture, restore

Build = Callable[[nn.Module], torch.optim.Optimizer]


def network() -> nn.Sequential:
    """With weights of several ranks, buffers and chance."""
    return nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.5), nn.Flatten(), nn.Linear(64, 3)
    ).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    x = torch.rand(5, 2, 6, 6).contiguous(memory_format=torch.channels_last)
    optimizer.zero_grad()
    model(x).square().sum().backward()
    optimizer.step()


def through_a_file(state: State) -> State:
    """What a file would give back: rows in order, and JSON."""
    tensors = {name: t.detach().clone().contiguous() for name, t in state.tensors.items()}
    return State(tensors=tensors, numbers=json.loads(json.dumps(state.numbers)))


def bits(model: nn.Module, optimizer: torch.optim.Optimizer) -> list[bytes]:
    state = capture(model, optimizer).tensors
    return [state[name].numpy().tobytes() for name in sorted(state)]


OPTIMIZERS: dict[str, Build] = {
    "sgd": lambda model: torch.optim.SGD(model.parameters(), lr=0.1),
    "momentum": lambda model: torch.optim.SGD(
        [{"params": [p], "weight_decay": 0.01 * p.ndim} for p in model.parameters()],
        lr=0.01,
        momentum=0.9,
        nesterov=True,
    ),
    "adam": lambda model: torch.optim.Adam(model.parameters(), lr=0.01, amsgrad=True),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("num_steps", [0, 1, 3])
def test_it_goes_on_bit_for_bit(name: str, num_steps: int) -> None:
    with reproducible(1):
        model = network()
        optimizer = OPTIMIZERS[name](model)
        for _ in range(num_steps):
            step(model, optimizer)
        optimizer.param_groups[0]["lr"] = 0.005
        state = through_a_file(capture(model, optimizer))
        for _ in range(3):
            step(model, optimizer)
        expected = bits(model, optimizer)
    with reproducible(2):
        other = network()
        fresh = OPTIMIZERS[name](other)
        restore(state, other, fresh)
        assert fresh.param_groups[0]["lr"] == 0.005
        for _ in range(3):
            step(other, fresh)
        assert bits(other, fresh) == expected


def test_the_optimisers_memory_keeps_its_layout() -> None:
    with reproducible(1):
        model = network()
        optimizer = OPTIMIZERS["momentum"](model)
        step(model, optimizer)
        state = through_a_file(capture(model, optimizer))
        other = deepcopy(model)
        fresh = OPTIMIZERS["momentum"](other)
        restore(state, other, fresh)
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        found = fresh.state[two]["momentum_buffer"]
        assert found.stride() == optimizer.state[one]["momentum_buffer"].stride()
    assert not fresh.state[next(other.parameters())]["momentum_buffer"].is_contiguous()


def test_its_tensors_are_told_apart_by_their_names() -> None:
    model = network()
    optimizer = OPTIMIZERS["momentum"](model)
    step(model, optimizer)
    names = capture(model, optimizer).tensors.keys()
    assert {"model.0.weight", "model.1.running_mean", "optimizer.0.momentum_buffer"} <= names
    assert {"chance.torch", "chance.numpy", "chance.python"} <= names
