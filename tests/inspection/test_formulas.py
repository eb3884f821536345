"""A layer's formula says what the layer does, whatever its settings."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convlens.core.errors import ShapeError
from convlens.inspection.formulas import (
    _FORMULAS,  # pyright: ignore[reportPrivateUsage] - so that no kind is forgotten
    layer_cost,
)
from convlens.inspection.trace import trace
from convlens.nn.batch_norm import BatchNorm2d
from convlens.nn.pool import AvgPool2d, GlobalAvgPool2d, MaxPool2d
from convlens.ops.cost import Cost

FITTING = {"height": st.integers(9, 14), "width": st.integers(9, 14)}


def assert_agrees(
    layer: nn.Module, shape: tuple[int, ...], *, other_ops: bool = True, training: bool = False
) -> None:
    """Formula and trace count the same of this layer."""
    layer = layer.to("meta").train(training)
    whole = trace(layer, torch.zeros(shape, device="meta"), training=training).whole
    found = layer_cost(layer, shape)
    assert found is not None
    assert found.cost.macs == whole.macs
    assert found.cost.num_parameters == whole.num_parameters
    if other_ops:
        assert found.cost.other_ops == whole.other_ops
        assert found.cost.num_activations == whole.num_activations
    if found.arithmetic:
        left, _, right = found.arithmetic.replace(",", "").replace("x", "*").partition(" = ")
        value = sum(eval_product(term) for term in left.split(" + "))
        assert value == int(right) == whole.num_parameters


def eval_product(text: str) -> int:
    result = 1
    for factor in text.split("*"):
        result *= int(factor)
    return result


@pytest.mark.filterwarnings("ignore:Using padding='same'")  # torch's advice on even kernels
@settings(max_examples=60)
@given(
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 4)),
    stride=st.integers(1, 3),
    padding=st.one_of(st.integers(0, 3), st.sampled_from(["same", "valid"])),
    dilation=st.integers(1, 2),
    groups=st.integers(1, 3),
    bias=st.booleans(),
    **FITTING,
)
def test_a_convolutions_formula(
    kernel: tuple[int, int],
    stride: int,
    padding: Any,
    dilation: int,
    groups: int,
    bias: bool,
    height: int,
    width: int,
) -> None:
    layer = nn.Conv2d(
        2 * groups,
        groups,
        kernel,
        stride=1 if padding == "same" else stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
        bias=bias,
    )
    assert_agrees(layer, (2, 2 * groups, height, width))


@settings(max_examples=30)
@given(
    kernel=st.integers(2, 4),
    stride=st.integers(1, 2),
    padding=st.integers(0, 1),
    output_padding=st.integers(0, 1),
    groups=st.integers(1, 2),
    bias=st.booleans(),
    **FITTING,
)
def test_a_transposed_convolutions_formula(
    kernel: int,
    stride: int,
    padding: int,
    output_padding: int,
    groups: int,
    bias: bool,
    height: int,
    width: int,
) -> None:
    layer = nn.ConvTranspose2d(
        2 * groups,
        groups,
        kernel,
        stride=stride,
        padding=padding,
        output_padding=min(output_padding, stride - 1),
        groups=groups,
        bias=bias,
    )
    assert_agrees(layer, (2, 2 * groups, height, width))


@settings(max_examples=30)
@given(
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    ceil_mode=st.booleans(),
    kind=st.sampled_from([nn.MaxPool2d, nn.AvgPool2d, MaxPool2d, AvgPool2d]),
    **FITTING,
)
def test_a_poolings_formula(
    kernel: int, stride: int, ceil_mode: bool, kind: Any, height: int, width: int
) -> None:
    layer = kind(kernel, stride, kernel // 2, ceil_mode=ceil_mode)
    assert_agrees(layer, (2, 3, height, width))


@settings(max_examples=30)
@given(
    rows=st.one_of(st.none(), st.integers(1, 12)),
    columns=st.one_of(st.none(), st.integers(1, 12)),
    kind=st.sampled_from([nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d]),
    **FITTING,
)
def test_an_adaptive_poolings_formula(
    rows: int | None, columns: int | None, kind: Any, height: int, width: int
) -> None:
    for size in ((rows, columns), [rows, columns], rows or 1):
        assert_agrees(kind(size), (2, 3, height, width))


@settings(max_examples=30)
@given(
    batch=st.lists(st.integers(1, 3), min_size=1, max_size=2),
    in_features=st.integers(1, 8),
    out_features=st.integers(1, 8),
    bias=st.booleans(),
)
def test_a_linear_layers_formula(
    batch: list[int], in_features: int, out_features: int, bias: bool
) -> None:
    layer = nn.Linear(in_features, out_features, bias=bias)
    assert_agrees(layer, (*batch, in_features))


@settings(max_examples=40)
@given(
    dims=st.integers(1, 3),
    channels=st.integers(1, 4),
    affine=st.booleans(),
    bias=st.booleans(),
    tracked=st.booleans(),
    training=st.booleans(),
)
def test_a_batch_norms_formula(
    dims: int, channels: int, affine: bool, bias: bool, tracked: bool, training: bool
) -> None:
    kind = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[dims - 1]
    layer = kind(channels, affine=affine, bias=bias, track_running_stats=tracked)
    assert_agrees(layer, (2, channels, *(3, 4, 2)[:dims]), training=training)


# Every kind of layer that has a formula, or should have the same as one.


LAYERS: list[tuple[nn.Module, tuple[int, ...]]] = [
    (GlobalAvgPool2d(), (2, 3, 5, 4)),
    (nn.BatchNorm1d(3), (4, 3)),
    (nn.LayerNorm(4), (2, 3, 4)),
    (nn.LayerNorm([3, 4], bias=False), (2, 3, 4)),
    (nn.LayerNorm(4, elementwise_affine=False), (2, 4)),
    (nn.GroupNorm(2, 6), (2, 6, 5, 4)),
    (nn.GroupNorm(2, 6, bias=False), (2, 6, 5)),
    (nn.GroupNorm(3, 6, affine=False), (2, 6)),
    (nn.Softmax(1), (2, 3, 5)),
    (nn.LogSoftmax(1), (2, 3)),
    (nn.Softmax2d(), (2, 3, 5, 4)),
    (nn.Threshold(0.1, 0), (2, 3)),
    *((kind(), (2, 3)) for kind in (
        nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish,
        nn.Sigmoid, nn.Tanh, nn.Softplus, nn.LogSigmoid,
        nn.Hardsigmoid, nn.Hardswish, nn.Hardtanh, nn.Hardshrink, nn.Softshrink,
    )),
    (nn.ReLU(inplace=True), (2, 3, 5, 4)),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=str)
def test_other_layers_formulas(layer: nn.Module, shape: tuple[int, ...]) -> None:
    for training in (False, True):
        assert_agrees(layer, shape, training=training)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_our_norm_from_scratch_has_the_formula_of_torchs(training: bool, affine: bool) -> None:
    shape = (2, 3, 5, 4)
    ours = layer_cost(BatchNorm2d(3, affine=affine).train(training), shape)
    torchs = layer_cost(nn.BatchNorm2d(3, affine=affine).train(training), shape)
    assert ours == torchs and ours is not None
    assert ours.cost.other_ops == 120 * (2 + 2 * affine + 4 * training)
    assert_agrees(BatchNorm2d(3, affine=affine, bias=False), shape, other_ops=False)


FREE: list[tuple[nn.Module, tuple[int, ...]]] = [
    (nn.Flatten(), (2, 3, 4)),
    (nn.Unflatten(1, (3, 2)), (2, 6)),
    (nn.Identity(), (2, 3)),
    (nn.PixelShuffle(2), (1, 4, 3, 3)),
    (nn.PixelUnshuffle(2), (1, 4, 4, 4)),
    (nn.ChannelShuffle(2), (1, 4, 3, 3)),
    (nn.UpsamplingNearest2d(scale_factor=2), (1, 2, 3, 3)),
    *((kind(), (2, 3, 4)) for kind in (nn.Dropout, nn.Dropout1d)),
    (nn.Dropout2d(), (2, 3, 4, 4)),
    (nn.Dropout3d(), (2, 3, 4, 4, 4)),
    (nn.ConstantPad1d(1, 0.5), (1, 2, 4)),
    (nn.ConstantPad2d(1, 0.5), (1, 2, 4, 4)),
    (nn.ConstantPad3d(1, 0.5), (1, 2, 4, 4, 4)),
    *(
        (kind(1), (1, 2, *(4, 4, 4)[:dims]))
        for dims, kinds in enumerate((
            (nn.ZeroPad1d, nn.ReflectionPad1d, nn.ReplicationPad1d, nn.CircularPad1d),
            (nn.ZeroPad2d, nn.ReflectionPad2d, nn.ReplicationPad2d, nn.CircularPad2d),
            (nn.ZeroPad3d, nn.ReflectionPad3d, nn.ReplicationPad3d, nn.CircularPad3d),
        ), start=1)
        for kind in kinds
    ),
]  # fmt: skip


@pytest.mark.parametrize(("layer", "shape"), FREE, ids=str)
def test_free_layers_cost_nothing(layer: nn.Module, shape: tuple[int, ...]) -> None:
    found = layer_cost(layer.eval(), shape)
    assert found is not None and found.cost == Cost()
    whole = trace(layer, torch.rand(shape)).whole
    assert (whole.macs, whole.other_ops, whole.num_parameters) == (0, 0, 0)


def test_a_dropout_that_trains_costs_a_product_each() -> None:
    found = layer_cost(nn.Dropout(), (2, 3))
    assert found is not None and found.cost.other_ops == 6


def test_every_kind_with_a_formula_is_tried_here() -> None:
    tried = {type(layer) for layer, _ in (*LAYERS, *FREE)}
    tried |= {nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.MaxPool2d, nn.AvgPool2d, BatchNorm2d}
    tried |= {nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d}
    tried |= {nn.AdaptiveAvgPool2d, nn.AdaptiveMaxPool2d}
    assert {kind for kinds, _ in _FORMULAS for kind in kinds} <= tried


def test_a_kind_without_a_formula_is_not_free() -> None:
    assert layer_cost(nn.Conv3d(1, 1, 1), (1, 1, 2, 2, 2)) is None
    assert layer_cost(nn.Sequential(), (1, 1)) is None


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (nn.Conv2d(1, 2, 5), (1, 1, 4, 4), "spans 5 but sees only 4"),
        (nn.Conv2d(1, 2, 5), (1, 3, 8, 8), "takes 1 channels and is given 3"),
        (nn.Conv2d(1, 2, 5), (8, 8), "takes images"),
        (nn.Linear(4, 2), (1, 5), "takes 4 features and is given 5"),
        (nn.MaxPool2d(3), (1, 1, 2, 2), "spans 3 but sees only 2"),
        (nn.BatchNorm2d(3), (1, 4, 2, 2), "takes 3 channels and is given 4"),
        (nn.BatchNorm1d(3), (3,), "takes 3 channels and is given none"),
        (nn.GroupNorm(2, 4), (1, 3), "takes 4 channels and is given 3"),
        (nn.LayerNorm([2, 3]), (1, 3, 2), r"shapes that end in \(2, 3\) and is given \(1, 3, 2\)"),
    ],
)
def test_a_shape_that_does_not_fit_is_an_error(
    layer: nn.Module, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        layer_cost(layer, shape)
