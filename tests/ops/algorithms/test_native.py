"""Native is torch bit for bit; the values are tested in tests/ops/test_catalog.py."""

import torch

from convlens.ops.algorithms import native
from convlens.ops.geometry import Geometry, PaddingMode, PoolGeometry


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
