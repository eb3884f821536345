from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.core.errors import ConfigError, RunError, ShapeError
from convlens.inspection.smallest import runs_at, smallest_input
from convlens.models.lenet import LeNet, LeNetConfig
from convlens.models.resnet import ResNet, ResNetConfig


@given(st.integers(1, 600), st.integers(1, 600))
def test_the_least_size_that_runs_is_found(least: int, most: int) -> None:
    tried: list[int] = []

    def runs(size: int) -> bool:
        tried.append(size)
        return size >= least

    assert smallest_input(runs, most) == (least if least <= most else None)
    assert len(tried) == len(set(tried)) <= 20
    if least <= most:
        assert {least, max(least - 1, 1)} <= {*tried}


@given(st.sets(st.integers(1, 64)))
def test_the_answer_runs_and_one_less_does_not_whatever_the_rest(sizes: set[int]) -> None:
    answer = smallest_input(sizes.__contains__, 64)
    if answer is not None:
        assert answer in sizes and answer - 1 not in sizes


def body(size: int) -> nn.Module:
    """LeNet's layers with windows; no linear ones, which ask for one size only."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2),
        nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5),
        nn.AvgPool2d(2),
    )


def small_lenet(size: int) -> bool:
    try:
        return runs_at(LeNet(LeNetConfig(image_size=size)), 1, size)
    except ShapeError:
        return False


@pytest.mark.parametrize(
    ("runs", "least"),
    [
        (lambda size: runs_at(body(size), 1, size), 12),
        (small_lenet, 12),
        (lambda size: runs_at(nn.Conv2d(3, 1, 7), 3, size), 7),
        (lambda size: runs_at(nn.ReflectionPad2d(4), 3, size), 5),
        (lambda size: runs_at(nn.Sequential(nn.MaxPool2d(3, 2), nn.MaxPool2d(3, 2)), 1, size), 7),
        (lambda size: runs_at(nn.Conv2d(3, 1, 1), 2, size), None),  # the channels never fit
    ],
)
def test_known_networks_have_known_least_sizes(
    runs: Callable[[int], bool], least: int | None
) -> None:
    assert smallest_input(runs, 64) == least


@pytest.mark.parametrize("size", range(1, 16))
def test_what_runs_on_shapes_alone_runs(size: int) -> None:
    nets = [body(size), nn.InstanceNorm2d(1), nn.Sequential(nn.Conv2d(1, 2, 3, 2), nn.MaxPool2d(2))]
    for net in nets:
        try:
            net.eval()(torch.zeros(1, 1, size, size))
            runs = True
        except (RuntimeError, ValueError):
            runs = False
        assert runs_at(net, 1, size) == runs


def test_a_resnet_runs_on_one_pixel() -> None:
    model = ResNet(ResNetConfig(depths=(1, 1), width=4))
    assert runs_at(model, 3, 1)


class OwnTensor(nn.Module):
    """Adds a tensor made in the forward pass."""

    def forward(self, x: Tensor) -> Tensor:
        """x + 1."""
        return x + torch.ones(x.shape)


def test_a_layer_may_make_tensors_of_its_own() -> None:
    assert runs_at(OwnTensor(), 1, 4)


class Reader(nn.Module):
    """Needs numbers."""

    def __init__(self, read: Callable[[Tensor], object]) -> None:
        super().__init__()
        self.read = read

    def forward(self, x: Tensor) -> Tensor:
        """x, once it is read."""
        self.read(x)
        return x


class Broken(nn.Module):
    """Fails for a reason of its own."""

    def forward(self, x: Tensor) -> Tensor:
        """Nothing."""
        raise RunError("not a matter of size")


@pytest.mark.parametrize("read", [lambda x: x.sum().item(), torch.nonzero, Tensor.tolist])
def test_a_layer_that_needs_numbers_is_refused(read: Callable[[Tensor], object]) -> None:
    with pytest.raises(ConfigError, match="more than shapes"):
        runs_at(Reader(read), 1, 4)


def test_what_fails_for_another_reason_is_not_too_small() -> None:
    with pytest.raises(RunError):
        runs_at(Broken(), 1, 4)


def test_the_module_is_left_as_it_was() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
    net[1].eval()
    before = {name: (id(p), p.clone()) for name, p in net.named_parameters()}
    assert runs_at(net, 1, 3)
    assert not runs_at(net, 1, 2)
    for name, parameter in net.named_parameters():
        was, value = before[name]
        assert id(parameter) == was and torch.equal(parameter, value)
    assert [part.training for part in net.modules()] == [True, True, False]
    assert not any(buffer.is_meta for buffer in net.buffers())
