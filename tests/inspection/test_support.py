from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.errors import ConfigError, UnknownName
from convlens.inspection import support
from convlens.inspection.receptive_field import Field, receptive_fields
from convlens.inspection.support import measured_support, misfits
from convlens.models.lenet import LeNet, LeNetConfig
from convlens.models.resnet import ResNet, ResNetConfig
from convlens.ops.window import Window
from tests.strategies import normal, seeds

CHANNELS = 2


class Branches(nn.Module):
    """The branches' sum, or their channels side by side and mixed again."""

    def __init__(self, branches: list[nn.Module], joined: bool) -> None:
        super().__init__()
        self.branches = nn.ModuleList(branches)
        self.mix = nn.Conv2d(CHANNELS * len(branches), CHANNELS, 1) if joined else None

    def forward(self, x: Tensor) -> Tensor:
        """Maps of the same size."""
        outputs = [branch(x) for branch in self.branches]
        if self.mix is None:
            return outputs[0] + sum(outputs[1:])
        return self.mix(torch.cat(outputs, 1))


@dataclass(frozen=True, slots=True)
class Layer:
    """What builds a layer, so that an example that fails can be read."""

    kind: Callable[..., nn.Module]
    numbers: tuple[Any, ...]

    def build(self) -> nn.Module:
        """The layer, with new weights."""
        built = [[x.build() for x in n] if isinstance(n, list) else n for n in self.numbers]
        return self.kind(*built)


def conv(kernel: int, stride: int, padding: int, dilation: int) -> nn.Module:
    return nn.Conv2d(CHANNELS, CHANNELS, kernel, stride, padding, dilation)


def reflected(kernel: int) -> nn.Module:
    return nn.Conv2d(CHANNELS, CHANNELS, kernel, padding=kernel // 2, padding_mode="reflect")


def same(kernel: int, dilation: int) -> nn.Module:
    return conv(kernel, 1, dilation * (kernel // 2), dilation)


def average(kernel: int, stride: int, padding: int, ceil_mode: bool) -> nn.Module:
    return nn.AvgPool2d(kernel, stride, min(padding, kernel // 2), ceil_mode)


def maximum(kernel: int, stride: int, padding: int, ceil_mode: bool) -> nn.Module:
    return nn.MaxPool2d(kernel, stride, min(padding, kernel // 2), ceil_mode=ceil_mode)


def transposed(kernel: int, stride: int, padding: int) -> nn.Module:
    return nn.ConvTranspose2d(CHANNELS, CHANNELS, kernel, stride, padding)


def of(kind: Callable[..., nn.Module], *numbers: st.SearchStrategy[Any]) -> Any:
    return st.builds(Layer, st.just(kind), st.tuples(*numbers))


size, stride, padding = st.integers(1, 4), st.integers(1, 3), st.integers(0, 2)
kept = of(same, st.sampled_from([1, 3, 5]), st.integers(1, 2))  # height and width
sliding = of(conv, size, stride, padding, st.integers(1, 2))
averages = of(average, size, stride, padding, st.booleans())
branches = of(Branches, st.lists(kept, min_size=2, max_size=3), st.booleans())
others = st.one_of(
    of(maximum, size, stride, padding, st.booleans()),
    of(reflected, st.sampled_from([2, 3, 5])),
    of(nn.ReflectionPad2d, st.integers(0, 2)),
    of(nn.ReplicationPad2d, st.integers(0, 2)),
    of(transposed, size, st.integers(1, 2), st.integers(0, 1)),
    of(nn.ZeroPad2d, st.integers(-1, 2)),
    of(nn.ReLU),
    of(nn.Sigmoid),
    of(nn.GroupNorm, st.just(1), st.just(CHANNELS)),
    of(nn.BatchNorm2d, st.just(CHANNELS)),
)
linear = st.lists(st.one_of(kept, sliding, averages, branches), min_size=1, max_size=4)
anything = st.lists(st.one_of(kept, sliding, averages, branches, others), min_size=1, max_size=5)
lengths = st.integers(6, 17)


def net_of(layers: list[Layer], x: Tensor, seed: int) -> nn.Sequential:
    """The layers one after another, if such images can pass."""
    torch.manual_seed(seed)
    net = nn.Sequential(*(layer.build() for layer in layers)).double()
    try:
        runs = net(x).numel() > 0
    except RuntimeError:
        runs = False
    assume(runs)
    return net


@settings(deadline=None, max_examples=60)
@given(anything, lengths, lengths, seeds)
def test_no_support_leaves_its_field(
    layers: list[Layer], height: int, width: int, seed: int
) -> None:
    x = normal(1, CHANNELS, height, width, seed=seed)
    assert misfits(net_of(layers, x, seed), x) == []


@settings(deadline=None, max_examples=60)
@given(linear, lengths, lengths, seeds)
def test_where_nothing_cancels_and_no_edge_is_near_the_support_is_the_field(
    layers: list[Layer], height: int, width: int, seed: int
) -> None:
    x = normal(1, CHANNELS, height, width, seed=seed)
    net = net_of(layers, x, seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.abs_().add_(0.1)
    field = receptive_fields(net, x)[""]
    assert field.rows is not None and field.columns is not None
    places = [range(length) for length in net(x).shape[2:]]
    inside = [
        (i, j)
        for i, j in product(*places)
        if is_inside(field.rows.taps(i), height) and is_inside(field.columns.taps(j), width)
    ]
    for place in inside[:: max(1, len(inside) // 4)]:
        assert measured_support(net, x, "", place) == field.box(*place, height, width)


def is_inside(taps: range, length: int) -> bool:
    return taps[0] >= 0 and taps[-1] < length


def test_where_padding_keeps_the_size_it_is_the_field_up_to_the_corners() -> None:
    net = nn.Sequential(*(nn.Conv2d(1, 1, 3, padding=1) for _ in range(3))).double()
    for parameter in net.parameters():
        nn.init.ones_(parameter)
    field = receptive_fields(net, normal(1, 1, 9, 8))[""]
    for place in product(range(9), range(8)):
        box = field.box(*place, 9, 8)
        assert measured_support(net, normal(1, 1, 9, 8), "", place) == box


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        (LeNet(LeNetConfig()), (1, 1, 28, 28)),
        (ResNet(ResNetConfig(depths=(1, 1), width=4)), (2, 3, 40, 33)),
        (
            ResNet(ResNetConfig(depths=(1, 1), width=4, block="bottleneck", stem="small")),
            (1, 3, 9, 9),
        ),
    ],
)
def test_the_models_see_no_more_than_their_fields(model: nn.Module, shape: tuple[int, ...]) -> None:
    assert misfits(model.double(), normal(*shape)) == []


def test_a_field_too_small_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.Flatten()), torch.rand(1, 1, 9, 9)
    fields = {"0": Field(Window(2), Window(3, padding=1))}  # a row short, and "1" sees nothing
    monkeypatch.setattr(support, "receptive_fields", lambda module, x: fields)
    *lines, last = misfits(net, x, ["0", "1"])
    assert "0 at (4, 4) sees (3, 3, 6, 6), not only (4, 3, 6, 6)" in lines
    assert last == "1 sees (0, 0, 9, 9), not nothing"
    fields[""] = Field(None, None)
    assert misfits(net, x, [""]) == []


def test_a_layers_output_is_measured_before_a_later_one_changes_it_in_place() -> None:
    net = nn.Sequential(nn.Conv2d(1, 1, 1), nn.Threshold(1e9, 0, inplace=True))
    x = torch.rand(1, 1, 3, 3)
    assert measured_support(net, x, "0", (1, 1)) == (1, 1, 2, 2)
    assert measured_support(net, x, "1", (1, 1)) is None


def test_an_output_without_rows_is_measured_as_one() -> None:
    net = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(4, 2))
    assert measured_support(net, torch.rand(1, 1, 5, 5), "", (0, 0)) == (0, 0, 4, 4)


def test_what_has_no_gradient_has_no_support() -> None:
    net = nn.Sequential(nn.Identity(), Rounded())
    assert measured_support(net, torch.rand(1, 1, 3, 3), "1", (0, 0)) is None


class Rounded(nn.Module):
    """Whole numbers."""

    def forward(self, x: Tensor) -> Tensor:
        """No slope anywhere."""
        return x.long()


def test_nothing_is_left_behind() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Dropout())
    net[1].eval()
    x, before = torch.rand(1, 1, 9, 9), {k: v.clone() for k, v in net.state_dict().items()}
    measured_support(net, x, "1", (0, 0))
    misfits(net, x)
    assert [part.training for part in net.modules()] == [True, True, False, True]
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    assert not x.requires_grad and x.grad is None
    assert not any(part._forward_hooks for part in net.modules())  # pyright: ignore[reportPrivateUsage]


def test_a_part_that_is_not_there_is_refused() -> None:
    net = nn.Sequential(nn.ReLU())
    with pytest.raises(UnknownName, match="no module 'relu'"):
        measured_support(net, torch.rand(1, 1, 3, 3), "relu", (0, 0))


def test_the_meta_device_is_refused() -> None:
    net = nn.Conv2d(1, 1, 3, device="meta")
    with pytest.raises(ConfigError, match="no numbers to measure"):
        measured_support(net, torch.rand(1, 1, 3, 3), "", (0, 0))
