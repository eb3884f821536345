"""A layer's formula says what the layer does, whatever its settings."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from convlens.core.errors import ShapeError
from convlens.inspection.formulas import layer_cost
from convlens.inspection.trace import trace
from convlens.nn.batch_norm import BatchNorm2d
from convlens.nn.pool import AvgPool2d, GlobalAvgPool2d, MaxPool2d

FITTING = {"height": st.integers(9, 14), "width": st.integers(9, 14)}


def assert_agrees(layer: nn.Module, shape: tuple[int, ...], *, other_ops: bool = True) -> None:
    """Formula and trace count the same of this layer."""
    layer = layer.to("meta").eval()
    whole = trace(layer, torch.zeros(shape, device="meta")).whole
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
    assert_agrees(layer, (2, 3, height, width), other_ops="Avg" in kind.__name__)
    found = layer_cost(layer, (2, 3, height, width))
    assert found is not None
    whole = trace(layer, torch.zeros(2, 3, height, width)).whole
    assert found.cost.num_activations == whole.num_activations


LAYERS: list[tuple[nn.Module, tuple[int, ...]]] = [
    (nn.Linear(6, 4), (3, 6)),
    (nn.Linear(6, 4, bias=False), (2, 5, 6)),
    (nn.AdaptiveAvgPool2d(2), (2, 3, 6, 4)),
    (nn.AdaptiveAvgPool2d((None, 2)), (2, 3, 5, 4)),
    (GlobalAvgPool2d(), (2, 3, 5, 4)),
    (nn.BatchNorm2d(3), (2, 3, 5, 4)),
    (nn.BatchNorm2d(3, affine=False), (2, 3, 5, 4)),
    (nn.BatchNorm1d(3), (4, 3)),
    (nn.ReLU(), (2, 3, 5, 4)),
    (nn.ReLU(inplace=True), (2, 3, 5, 4)),
    (nn.Sigmoid(), (2, 3)),
]


@pytest.mark.parametrize(("layer", "shape"), LAYERS, ids=str)
def test_other_layers_formulas(layer: nn.Module, shape: tuple[int, ...]) -> None:
    assert_agrees(layer, shape, other_ops=not isinstance(layer, nn.BatchNorm2d | nn.BatchNorm1d))


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_our_norm_from_scratch_has_the_formula_of_torchs(training: bool, affine: bool) -> None:
    shape = (2, 3, 5, 4)
    ours = layer_cost(BatchNorm2d(3, affine=affine).train(training), shape)
    torchs = layer_cost(nn.BatchNorm2d(3, affine=affine).train(training), shape)
    assert ours == torchs and ours is not None
    assert ours.cost.other_ops == 120 * (2 + 2 * affine + 4 * training)


def test_free_layers_cost_nothing() -> None:
    for layer in (nn.Flatten(), nn.Identity(), nn.Dropout()):
        found = layer_cost(layer, (2, 3))
        assert found is not None and found.cost.macs == found.cost.other_ops == 0


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
    ],
)
def test_a_shape_that_does_not_fit_is_an_error(
    layer: nn.Module, shape: tuple[int, ...], message: str
) -> None:
    with pytest.raises(ShapeError, match=message):
        layer_cost(layer, shape)
