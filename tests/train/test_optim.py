"""The optimiser and the learning rate are those of the settings."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from convlens.core.config import check, parse, to_table
from convlens.core.errors import ConfigError
from convlens.train.optim import TrainConfig, build_optimizer, choose_device, learning_rate

fractions = st.floats(0, 1, exclude_max=True)
one_cycles = st.builds(
    TrainConfig,
    lr=st.floats(1e-6, 1e3),
    warmup=fractions,
    schedule=st.just("one-cycle"),
)
nums_steps = st.integers(1, 300)


def rates(config: TrainConfig, num_steps: int) -> list[float]:
    return [learning_rate(config, step, num_steps) for step in range(num_steps)]


@given(one_cycles, nums_steps)
def test_one_cycle_rises_to_lr_and_then_falls_but_not_to_zero(
    config: TrainConfig, num_steps: int
) -> None:
    found = rates(config, num_steps)
    peak = found.index(max(found))
    assert max(found) == pytest.approx(config.lr)
    assert min(found) > 0
    assert all(before < after for before, after in pairwise(found[: peak + 1]))
    after_the_peak = found[peak + 1 :]
    assert all(before > after for before, after in pairwise(after_the_peak))
    assert all(rate <= max(found) for rate in after_the_peak)


@given(one_cycles, nums_steps)
def test_one_cycle_rises_for_the_warm_up_and_no_longer(config: TrainConfig, num_steps: int) -> None:
    found = rates(config, num_steps)
    assert abs(found.index(max(found)) - config.warmup * num_steps) <= 1


@given(one_cycles, st.integers(10, 300))
def test_one_cycle_ends_one_step_above_zero(config: TrainConfig, num_steps: int) -> None:
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


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(ConfigError, match=r"^train\.nesterov: needs train\.momentum above 0$"):
        TrainConfig(nesterov=True)


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("epochs", -1),
        ("epochs", 0),
        ("batch_size", 0),
        ("lr", 0.0),
        ("lr", -0.1),
        ("momentum", 1.0),
        ("momentum", -0.1),
        ("warmup", 1.0),
        ("weight_decay", -1e-4),
        ("seed", -1),
        ("log_every", 0),
        ("schedule", "cosine"),
    ],
)
def test_a_setting_out_of_range_is_refused(setting: str, value: object) -> None:
    table: dict[str, Any] = to_table(TrainConfig()) | {setting: value}
    with pytest.raises(ConfigError, match=rf"^train\.{setting}: input should be "):
        parse(TrainConfig, table, section="train")


def test_the_defaults_are_legal_and_the_books() -> None:
    config = check(TrainConfig())
    assert (config.epochs, config.batch_size, config.lr) == (10, 128, 0.1)


@pytest.mark.parametrize("name", ["gpu", "", "cuda:99", "meta", "cpu:x", "hpu", "privateuseone"])
def test_a_device_that_is_not_here_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^train\.device: no device '{name}' here\n.*cpu"):
        choose_device(name)


def test_the_cpu_is_always_here() -> None:
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_is_the_first_gpu_else_the_cpu(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto") == torch.device(chosen)
