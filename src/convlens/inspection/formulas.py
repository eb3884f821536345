"""Formulas: what a layer costs by its settings and the shape of its input alone.

Nothing runs. `ops/cost.py` has the formula of each operation; here each kind of layer finds its
own. A kind that is not in the table has no formula, which is not the same as costing nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

from torch import nn

from convlens.core.errors import ShapeError
from convlens.nn.batch_norm import BatchNorm2d
from convlens.ops.cost import (
    SOFTMAX_OPS,
    Cost,
    adaptive_pool_cost,
    correlation_cost,
    layer_norm_cost,
    linear_cost,
    norm_cost,
    pool_cost,
    transposed_cost,
)
from convlens.ops.geometry import Geometry, PoolGeometry, Reduce

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LayerCost:
    """The cost of one call of one layer, and the arithmetic behind its parameters."""

    cost: Cost
    arithmetic: str = ""  # 5x5x1x6 + 6 = 156; "" where there is no parameter


def layer_cost(layer: nn.Module, shape: Shape) -> LayerCost | None:
    """The cost of `layer` on an input of `shape`; None if there is no formula for its kind.

    >>> found = layer_cost(nn.Conv2d(1, 6, 5, padding=2), (1, 1, 28, 28))
    >>> found.cost.macs, found.arithmetic
    (117600, '5x5x1x6 + 6 = 156')

    Raises:
        ShapeError: the layer cannot take that shape.
    """
    for kinds, formula in _FORMULAS:
        if isinstance(layer, kinds):
            return formula(layer, shape)
    return None


def _conv(layer: Any, shape: Shape) -> LayerCost:
    n, c, height, width = _images(layer, shape, layer.in_channels)
    rows, columns = _padding(layer)
    geometry = Geometry.of(
        layer.kernel_size,
        stride=layer.stride,
        padding=(rows // 2, columns // 2),
        dilation=layer.dilation,
        groups=layer.groups,
    )
    bias = layer.bias is not None
    # An odd cell of "same" padding is added below and to the right, as if the image had it.
    larger = (n, c, height + rows % 2, width + columns % 2)
    cost = correlation_cost(geometry, larger, layer.out_channels, bias=bias)
    per_group = layer.in_channels // layer.groups
    return LayerCost(cost, _arithmetic((*layer.kernel_size, per_group, layer.out_channels), bias))


def _transposed(layer: Any, shape: Shape) -> LayerCost:
    geometry = Geometry.of(
        layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        dilation=layer.dilation,
        groups=layer.groups,
    )
    bias = layer.bias is not None
    cost = transposed_cost(
        geometry,
        _images(layer, shape, layer.in_channels),
        layer.out_channels,
        output_padding=(layer.output_padding[0], layer.output_padding[1]),
        bias=bias,
    )
    per_group = layer.in_channels // layer.groups
    return LayerCost(cost, _arithmetic((*layer.kernel_size, per_group, layer.out_channels), bias))


def _linear(layer: Any, shape: Shape) -> LayerCost:
    if not shape or shape[-1] != layer.in_features:
        raise ShapeError(
            f"it takes {layer.in_features} features and is given {shape[-1] if shape else 'none'}"
        )
    bias = layer.bias is not None
    cost = linear_cost(prod(shape[:-1]), layer.in_features, layer.out_features, bias=bias)
    sizes = (layer.in_features, layer.out_features)
    return LayerCost(cost, _arithmetic(sizes, bias))


def _norm(layer: Any, shape: Shape) -> LayerCost:
    _check_channels(shape, layer.num_features)
    affine, bias = layer.weight is not None, layer.bias is not None
    training = bool(layer.training or layer.running_mean is None)
    cost = norm_cost(shape, affine=affine, bias=bias, training=training)
    return LayerCost(cost, _vectors(layer.num_features, affine, bias))


def _layer_norm(layer: Any, shape: Shape) -> LayerCost:
    sizes = tuple(layer.normalized_shape)
    if shape[-len(sizes) :] != sizes:
        raise ShapeError(f"it takes shapes that end in {sizes} and is given {shape}")
    affine, bias = layer.weight is not None, layer.bias is not None
    cost = layer_norm_cost(shape, prod(sizes), affine=affine, bias=bias)
    return LayerCost(cost, _vectors(prod(sizes), affine, bias))


def _group_norm(layer: Any, shape: Shape) -> LayerCost:
    _check_channels(shape, layer.num_channels)
    affine, bias = layer.weight is not None, layer.bias is not None
    cost = layer_norm_cost(shape, layer.num_channels, affine=affine, bias=bias)
    return LayerCost(cost, _vectors(layer.num_channels, affine, bias))


def _pool(layer: Any, shape: Shape) -> LayerCost:
    reduce: Reduce = "max" if isinstance(layer, nn.MaxPool2d) else "avg"
    geometry = PoolGeometry.of(
        layer.kernel_size,
        stride=layer.stride,
        padding=layer.padding,
        dilation=getattr(layer, "dilation", 1),
        ceil_mode=layer.ceil_mode,
    )
    return LayerCost(pool_cost(geometry, _images(layer, shape), reduce))


def _adaptive_pool(layer: Any, shape: Shape) -> LayerCost:
    size = layer.output_size
    images = _images(layer, shape)
    rows, columns = (size, size) if isinstance(size, int) else size
    output = (images[2] if rows is None else rows, images[3] if columns is None else columns)
    reduce: Reduce = "max" if isinstance(layer, nn.AdaptiveMaxPool2d) else "avg"
    return LayerCost(adaptive_pool_cost(images, output, reduce))


def _pointwise(layer: nn.Module, shape: Shape) -> LayerCost:
    del layer
    return LayerCost(Cost(other_ops=prod(shape), num_activations=prod(shape)))


def _softmax(layer: nn.Module, shape: Shape) -> LayerCost:
    del layer
    numbers = prod(shape)
    return LayerCost(Cost(other_ops=SOFTMAX_OPS * numbers, num_activations=numbers))


def _dropout(layer: nn.Module, shape: Shape) -> LayerCost:
    products = prod(shape) if layer.training else 0
    return LayerCost(Cost(other_ops=products, num_activations=products))


def _free(layer: nn.Module, shape: Shape) -> LayerCost:
    del layer, shape
    return LayerCost(Cost())


def _images(
    layer: nn.Module, shape: Shape, in_channels: int | None = None
) -> tuple[int, int, int, int]:
    if len(shape) == 3:  # one image without a batch, as torch takes it too
        shape = (1, *shape)
    if len(shape) != 4:
        raise ShapeError(f"it takes images, (n, c, h, w), and is given {shape}")
    if in_channels is not None:
        _check_channels(shape, in_channels)
    n, c, height, width = shape
    return n, c, height, width


def _check_channels(shape: Shape, channels: int) -> None:
    if len(shape) < 2 or shape[1] != channels:
        given = shape[1] if len(shape) > 1 else "none"
        raise ShapeError(f"it takes {channels} channels and is given {given}")


def _padding(layer: Any) -> tuple[int, int]:
    """All the padding of rows and of columns, both sides together."""
    if layer.padding == "same":
        rows, columns = (
            dilation * (kernel - 1)
            for kernel, dilation in zip(layer.kernel_size, layer.dilation, strict=True)
        )
        return rows, columns
    if isinstance(layer.padding, str):
        return 0, 0
    return 2 * layer.padding[0], 2 * layer.padding[1]


def _arithmetic(sizes: tuple[int, ...], bias: bool) -> str:
    biases = sizes[-1]  # the channels or features out
    total = prod(sizes) + biases * bias
    return f"{'x'.join(map(str, sizes))}{f' + {biases}' if bias else ''} = {total:,}"


def _vectors(count: int, affine: bool, bias: bool) -> str:
    """The arithmetic of a weight and a bias of the same size."""
    if not affine:
        return ""
    return f"{count} + {count} = {2 * count:,}" if bias else f"{count} = {count:,}"


_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, BatchNorm2d)
_POOLS = (nn.MaxPool2d, nn.AvgPool2d)
_ADAPTIVE = (nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d)
_POINTWISE = (
    nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish,
    nn.Sigmoid, nn.Tanh, nn.Softplus, nn.LogSigmoid, nn.Threshold,
    nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.Hardshrink, nn.Softshrink,
)  # fmt: skip
_SOFTMAX = (nn.Softmax, nn.LogSoftmax, nn.Softmax2d)
_DROPOUT = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)
_FREE = (
    nn.Identity, nn.Flatten, nn.Unflatten, nn.PixelShuffle, nn.PixelUnshuffle, nn.ChannelShuffle,
    nn.UpsamplingNearest2d,
    nn.ZeroPad1d, nn.ZeroPad2d, nn.ZeroPad3d,
    nn.ConstantPad1d, nn.ConstantPad2d, nn.ConstantPad3d,
    nn.ReflectionPad1d, nn.ReflectionPad2d, nn.ReflectionPad3d,
    nn.ReplicationPad1d, nn.ReplicationPad2d, nn.ReplicationPad3d,
    nn.CircularPad1d, nn.CircularPad2d, nn.CircularPad3d,
)  # fmt: skip

_FORMULAS: tuple[tuple[tuple[type, ...], Callable[[Any, Shape], LayerCost]], ...] = (
    ((nn.Conv2d,), _conv),
    ((nn.ConvTranspose2d,), _transposed),
    ((nn.Linear,), _linear),
    (_NORMS, _norm),
    ((nn.LayerNorm,), _layer_norm),
    ((nn.GroupNorm,), _group_norm),
    (_POOLS, _pool),
    (_ADAPTIVE, _adaptive_pool),
    (_POINTWISE, _pointwise),
    (_SOFTMAX, _softmax),
    (_DROPOUT, _dropout),
    (_FREE, _free),
)
