"""Watching leaves no trace: not in the module, not in torch, also when the pass fails."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from convlens.core.errors import ConfigError
from convlens.inspection.watch import (
    Call,
    Operation,
    Watcher,
    as_it_was,
    inputs_like,
    tensors_in,
    watching,
)


class Listener(Watcher):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.entered_paths: list[str] = []
        self.left_paths: list[str] = []
        self.operations: list[Operation] = []

    def entered(self, call: Call) -> None:
        self.entered_paths.append(call.path)

    def operated(self, operation: Operation) -> None:
        self.operations.append(operation)

    def left(self, call: Call, outputs: tuple[Tensor, ...]) -> None:
        self.left_paths.append(call.path)


class Raising(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        raise RuntimeError("no")


class Catching(nn.Module):
    """Goes on when the module inside raises."""

    def __init__(self) -> None:
        super().__init__()
        self.inside = nn.Sequential(nn.ReLU(), Raising())
        self.after = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        try:
            return self.inside(x)
        except RuntimeError:
            return self.after(x)


def net() -> nn.Sequential:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten()
    )
    model[1].eval()  # a mode of its own, as a frozen norm has
    return model


def state(model: nn.Module) -> list[Any]:
    """All that a pass could leave behind."""
    hooks = [
        (len(part._forward_hooks), len(part._forward_pre_hooks))  # pyright: ignore[reportPrivateUsage]
        for part in model.modules()
    ]
    tensors = [value.clone() for value in model.state_dict().values()]
    return [[part.training for part in model.modules()], hooks, torch.get_rng_state(), *tensors]


def assert_same(before: list[Any], after: list[Any]) -> None:
    for one, other in zip(before, after, strict=True):
        assert torch.equal(one, other) if isinstance(one, Tensor) else one == other


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_behind(training: bool, fails: bool) -> None:
    model = net()
    if fails:
        model.append(Raising())
    before = state(model)
    listener = Listener()
    try:
        with watching(model, listener, training=training):
            model(torch.rand(3, 1, 6, 6))
    except RuntimeError:
        assert fails
    assert listener.operations
    assert_same(before, state(model))
    assert torch.is_grad_enabled()
    heard = len(listener.operations)
    model[:-1](torch.rand(3, 1, 6, 6))
    assert len(listener.operations) == heard


def test_a_pass_runs_in_the_mode_that_is_asked_for() -> None:
    model = net()
    for training in (False, True):
        listener = Listener()
        with watching(model, listener, training=training):
            assert {part.training for part in model.modules()} == {training}
            model(torch.rand(3, 1, 6, 6))
        names = [operation.name for operation in listener.operations]
        assert ("bernoulli_" in names or "native_dropout" in names) is training


def test_layers_are_told_from_outside_in_and_inside_out() -> None:
    model = nn.Sequential(nn.Sequential(nn.ReLU()), nn.Sigmoid())
    listener, x = Listener(), torch.rand(1, 2)
    with watching(model, listener):
        model(x)
    assert listener.entered_paths == ["", "0", "0.0", "1"]
    assert listener.left_paths == ["0.0", "0", "1", ""]
    assert [(op.name, op.path) for op in listener.operations] == [("relu", "0.0"), ("sigmoid", "1")]


def test_a_shared_layer_is_told_twice_under_one_path() -> None:
    shared = nn.ReLU()
    listener = Listener()
    model = nn.Sequential(shared, shared)
    with watching(model, listener):
        model(torch.rand(1, 2))
    assert listener.entered_paths == ["", "0", "0"]


def test_a_module_that_catches_what_raised_inside_is_followed() -> None:
    listener = Listener()
    model = Catching()
    with watching(model, listener):
        model(torch.rand(1, 2))
    assert listener.entered_paths == ["", "inside", "inside.0", "inside.1", "after"]
    assert listener.left_paths == ["inside.0", "after", ""]


def test_a_lazy_layer_is_refused_with_what_to_do() -> None:
    model = nn.Sequential(nn.LazyConv2d(3, 3))
    said = r"(?s)0\.weight has no size yet.*pass one batch"
    with pytest.raises(ConfigError, match=said), watching(model, Listener()):
        pass


def test_the_users_own_hooks_stay_and_are_heard() -> None:
    model = nn.Sequential(nn.ReLU())
    calls: list[int] = []
    model[0].register_forward_hook(lambda *_: calls.append(1))
    with watching(model, Listener()):
        model(torch.rand(1, 2))
    model(torch.rand(1, 2))
    assert len(calls) == 2


def test_tensors_are_found_in_whatever_holds_them() -> None:
    a, b, c = (torch.ones(size) for size in (1, 2, 3))
    assert list(tensors_in([a, {"x": (b, None)}, "text", c])) == [a, b, c]
    assert list(tensors_in(None)) == []


def test_inputs_are_of_the_modules_type_and_device() -> None:
    assert inputs_like(nn.Linear(2, 2).double(), 1, 2).dtype is torch.float64
    assert inputs_like(nn.Linear(2, 2, device="meta"), 1, 2).is_meta
    assert inputs_like(nn.ReLU(), 4).dtype is torch.float32


def test_buffers_are_restored_by_their_numbers() -> None:
    norm = nn.BatchNorm2d(2)
    with as_it_was(norm):
        norm.train()(torch.rand(4, 2, 3, 3))
        assert norm.running_mean is not None and norm.running_mean.any()
    assert not norm.running_mean.any()
