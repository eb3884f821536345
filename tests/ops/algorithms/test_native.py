"""Native is torch bit for bit; the values are tested in tests/ops/test_catalog.py."""

import math

import torch
from hypothesis import given

from convlens.ops.algorithms import native, reference
from convlens.ops.geometry import Geometry, PaddingMode, PoolGeometry
from tests.strategies import PoolCase, pool_cases, whole


def test_a_layer_of_torch_gives_the_same_bits() -> None:
    modes: tuple[PaddingMode, ...] = ("zeros", "reflect", "replicate", "circular")
    x = torch.randn(2, 4, 8, 9)
    for mode in modes:
        layer = torch.nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, padding_mode=mode)
        geometry = Geometry.of(3, stride=2, padding=1, groups=2, padding_mode=mode)
        assert torch.equal(native.correlate(x, layer.weight, layer.bias, geometry), layer(x))


def test_the_other_layers_of_torch_too() -> None:
    x = torch.randn(2, 4, 8, 9)
    layer = torch.nn.ConvTranspose2d(4, 6, 3, stride=2, padding=1, output_padding=1, groups=2)
    geometry = Geometry.of(3, stride=2, padding=1, groups=2)
    y = native.transpose(x, layer.weight, layer.bias, geometry, (1, 1))
    assert torch.equal(y, layer(x))
    pool = PoolGeometry.of(3, stride=2, padding=1, ceil_mode=True, count_include_pad=False)
    y = torch.nn.MaxPool2d(3, 2, 1, ceil_mode=True)(x)
    assert torch.equal(native.pool(x, pool, "max"), y)
    y = torch.nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=False)(x)
    assert torch.equal(native.pool(x, pool, "avg"), y)
    y = torch.nn.AdaptiveAvgPool2d((3, 2))(x)
    assert torch.equal(native.adaptive_pool(x, (3, 2), "avg"), y)


@given(pool_cases(dilation=3))
def test_a_window_that_sees_only_padding_has_a_gradient_and_harms_nothing(case: PoolCase) -> None:
    """Torch's own backward pass aborts the process for kernel 2, padding 1, dilation 2 on 1 row."""
    x = whole(*case.shape, seed=case.seed).requires_grad_()
    y = native.pool(x, case.geometry, "max")
    assert torch.equal(y, reference.pool(x, case.geometry, "max"))
    seen = y.isfinite()
    (found,) = torch.autograd.grad(y[seen].sum(), x)
    assert found.sum() == seen.sum()  # each window's slope goes to one cell that it sees


def test_the_smallest_window_that_sees_only_padding() -> None:
    x = torch.ones(1, 1, 1, 4, requires_grad=True)
    geometry = PoolGeometry.of((2, 1), stride=1, padding=(1, 0), dilation=(2, 1))
    y = native.pool(x, geometry, "max")
    assert y.tolist() == [[[[-math.inf] * 4]]]
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.tolist() == [[[[0.0] * 4]]]
