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
        self.raised_paths: list[str] = []
        self.depths: dict[str, int] = {}
        self.outputs: tuple[Tensor, ...] = ()  # of the last that left
        self.operations: list[Operation] = []

    def entered(self, call: Call) -> None:
        self.entered_paths.append(call.path)
        self.depths[call.path] = call.depth

    def operated(self, operation: Operation) -> None:
        self.operations.append(operation)

    def left(self, call: Call, outputs: tuple[Tensor, ...]) -> None:
        self.left_paths.append(call.path)
        self.outputs = outputs

    def raised(self, call: Call, error: BaseException) -> None:
        self.raised_paths.append(call.path)


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
            return self.after(x) + 1


class Remembering(nn.Module):
    """Puts new tensors in the place of its buffers, and makes one that it did not have."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))
        self.register_buffer("last", None)

    def forward(self, x: Tensor) -> Tensor:
        self.mean = 0.9 * self.get_buffer("mean") + x
        self.last = x
        self.register_buffer("new", x + 1)
        return x


def net() -> nn.Sequential:
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.ReLU(inplace=True), nn.Dropout(0.5), nn.Flatten()
    )
    model[1].eval()  # a mode of its own, as a frozen norm has
    return model


def state(model: nn.Module) -> list[Any]:
    """All that a pass could leave behind."""
    hooks = [
        {name: list(value) for name, value in vars(part).items() if "_hooks" in name and value}
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
    listener, x = Listener(), torch.rand(1, 2)
    model = Catching()
    with watching(model, listener):
        model(x)
    assert listener.entered_paths == ["", "inside", "inside.0", "inside.1", "after"]
    assert listener.left_paths == ["inside.0", "after", ""]
    assert listener.raised_paths == ["inside.1", "inside"]
    assert listener.depths["after"] == 1
    assert [(op.name, op.path) for op in listener.operations] == [
        ("relu", "inside.0"),
        ("relu", "after"),
        ("add", ""),
    ]


def test_a_module_that_a_users_hook_keeps_from_starting_is_not_told_of() -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("not this one")

    listener, model = Listener(), Catching()
    model.inside.register_forward_pre_hook(refuse)
    with watching(model, listener):
        model(torch.rand(1, 2))
    assert listener.entered_paths == ["", "after"]
    assert listener.left_paths == ["after", ""]


def test_outputs_in_nested_dicts_and_tuples_are_all_found() -> None:
    class Many(nn.Module):
        def forward(self, x: Tensor) -> dict[str, Any]:
            return {"out": x, "rest": (x + 1, [{"deep": x + 2}, None, "text"])}

    listener, x = Listener(), torch.zeros(1)
    with watching(model := Many(), listener):
        model(x)
    assert [output.item() for output in listener.outputs] == [0, 1, 2]


def test_tensors_without_numbers_can_be_watched_and_leave_nothing_either() -> None:
    model = net().to("meta").train()
    modes = [part.training for part in model.modules()]
    listener = Listener()
    with watching(model, listener):
        model(torch.rand(3, 1, 6, 6, device="meta"))
    assert listener.left_paths == ["0", "1", "2", "3", "4", ""]
    assert [part.training for part in model.modules()] == modes
    assert all(buffer.is_meta for buffer in model.buffers())


@pytest.mark.parametrize("enabled", [True, False])
def test_attention_runs_in_operations_that_can_be_counted(enabled: bool) -> None:
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(enabled)
    try:
        listener = Listener()
        with watching(layer, listener):
            layer(torch.rand(2, 5, 8))
        assert torch.backends.mha.get_fastpath_enabled() is enabled
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
    assert {"self_attn", "linear1", "norm2"} <= set(listener.left_paths)
    assert not any("multi_head" in op.name for op in listener.operations)


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


def test_buffers_that_a_layer_replaces_are_the_old_ones_again() -> None:
    layer = Remembering()
    mean = layer.get_buffer("mean")
    with as_it_was(layer):
        layer(torch.ones(2))
        assert "new" in dict(layer.named_buffers())
    assert layer.get_buffer("mean") is mean and not mean.any()
    assert list(layer.state_dict()) == ["mean"] and layer.last is None


def test_buffers_that_cannot_be_written_are_let_be() -> None:
    layer = nn.ReLU()
    layer.register_buffer("positions", torch.arange(3.0).expand(4, 3))
    with as_it_was(layer):
        layer(torch.ones(2))
    assert layer.get_buffer("positions").shape == (4, 3)
