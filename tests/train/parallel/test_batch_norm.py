"""Batch norm over shares of a batch is batch norm of the batch."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from typing import Any, TypeVar, final

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.testing import assert_close

from convlens.train.parallel.batch_norm import share_batch_norm, statistics
from convlens.train.parallel.world import ALONE, World

T = TypeVar("T")


class Common:
    """What the threads of a world share."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size)
        self.slots = [torch.empty(0)] * size


@final
class Threads(World):
    """A world whose processes are threads."""

    def __init__(self, rank: int, common: Common) -> None:
        self.rank, self.size, self.common = rank, len(common.slots), common

    def gather(self, tensor: Tensor) -> list[Tensor]:
        self.common.slots[self.rank] = tensor.clone()
        self.common.barrier.wait(60)
        gathered = list(self.common.slots)
        self.common.barrier.wait(60)
        return gathered

    def sum(self, tensor: Tensor) -> Tensor:
        return tensor.copy_(torch.stack(self.gather(tensor)).sum(0))

    def any(self, *flags: bool) -> tuple[bool, ...]:
        return flags

    def first(self, work: Callable[[], T]) -> T:
        return work()

    def everywhere(self, work: Callable[[], T]) -> T:
        return work()

    def about(self) -> dict[str, Any]:
        return {}


def shared(layer: nn.Module, shares: list[Tensor]) -> list[tuple[nn.Module, Tensor, Tensor]]:
    """By share, the layer after a step, its output and the gradient of its input."""
    common = Common(len(shares))

    def work(rank: int) -> tuple[nn.Module, Tensor, Tensor]:
        own, x = deepcopy(layer), shares[rank].clone().requires_grad_()
        share_batch_norm(own, Threads(rank, common))
        y = own(x)
        (y.sin().sum()).backward()
        assert x.grad is not None
        return own, y.detach(), x.grad

    with ThreadPoolExecutor(len(shares)) as pool:
        return list(pool.map(work, range(len(shares))))


def layers(affine: bool, momentum: float | None, flat: bool) -> nn.Module:
    kind = nn.BatchNorm1d if flat else nn.BatchNorm2d
    layer = kind(3, affine=affine, momentum=momentum, dtype=torch.float64)
    if affine:
        nn.init.uniform_(layer.weight, 0.5, 2)
        nn.init.uniform_(layer.bias, -1, 1)
    return layer


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(lambda sizes: sum(sizes) > 1),
    st.booleans(), st.sampled_from([0.1, None]), st.booleans(), st.integers(0, 2**32),
)  # fmt: skip
def test_shares_of_any_size_make_one_batch(
    sizes: list[int], affine: bool, momentum: float | None, flat: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = layers(affine, momentum, flat)
    whole = torch.randn(sum(sizes), 3, *(() if flat else (2, 3)), dtype=torch.float64)
    done = shared(layer, list((7 + 3 * whole).split(sizes)))
    ((expected, y, dx),) = [reference(layer, 7 + 3 * whole)]
    assert_close(torch.cat([each[1] for each in done]), y)
    assert_close(torch.cat([each[2] for each in done]), dx)
    for own, _, _ in done:
        assert_close(dict(own.named_buffers()), dict(expected.named_buffers()))
    for name, parameter in expected.named_parameters():
        assert parameter.grad is not None
        gradients = [dict(own.named_parameters())[name].grad for own, _, _ in done]
        assert_close(sum(g for g in gradients if g is not None), parameter.grad)


def reference(layer: nn.Module, whole: Tensor) -> tuple[nn.Module, Tensor, Tensor]:
    """The same by torch's layer alone."""
    x, own = whole.clone().requires_grad_(), deepcopy(layer)
    y = own(x)
    y.sin().sum().backward()
    assert x.grad is not None
    return own, y.detach(), x.grad


def test_bfloat16_is_summed_in_float32_and_stays_what_it_is() -> None:
    """As torch's layer does it; weights and running statistics are float32."""
    layer, whole = nn.BatchNorm2d(3), (7 + 3 * torch.randn(8, 3, 4, 4)).bfloat16()
    done = shared(layer, list(whole.split([5, 3])))
    expected, y, dx = reference(layer, whole)
    assert_close(torch.cat([each[1] for each in done]), y)
    assert_close(torch.cat([each[2] for each in done]), dx)
    for own, _, _ in done:
        assert_close(dict(own.named_buffers()), dict(expected.named_buffers()))


def test_an_evaluation_is_as_ever_and_nothing_is_renamed() -> None:
    model = nn.Sequential(nn.Conv2d(1, 3, 1), nn.BatchNorm2d(3))
    x, names = torch.randn(2, 1, 4, 4), list(model.state_dict())
    before = model.eval()(x)
    share_batch_norm(model, ALONE)
    assert torch.equal(model(x), before)
    assert list(model.state_dict()) == names


def test_one_value_for_a_channel_is_refused_as_torch_does() -> None:
    model = nn.Sequential(nn.BatchNorm1d(3))
    share_batch_norm(model, ALONE)
    with pytest.raises(ValueError, match="more than one value"):
        model(torch.randn(1, 3))


def test_a_large_mean_costs_no_digits() -> None:
    x = torch.randn(50, 1, 8, 8) + 1000
    _, variance, count = statistics(x, ALONE)
    assert count == x.numel()
    assert_close(variance, x.double().var(correction=0).float()[None], rtol=1e-4, atol=0)
