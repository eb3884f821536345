"""What an operation costs is what torch's own counter says, and what it leaves out."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from convlens.inspection.operations import count
from convlens.inspection.trace import trace
from convlens.nn.conv import Conv2d
from convlens.ops.catalog import IMPLEMENTATIONS


class Doing(nn.Module):
    """A function as a module."""

    def __init__(self, function: Callable[..., Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)


def traced(function: Callable[..., Tensor], *inputs: Tensor) -> list[tuple[str, int, int]]:
    """Kind, MACs and other operations of what ran."""
    operations = trace(Doing(function), *inputs).whole.operations
    return [(o.counted.kind, o.counted.macs, o.counted.other_ops) for o in operations]


def flops(function: Callable[..., Tensor], *inputs: Tensor) -> int:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        function(*inputs)
    return counter.get_total_flops()


sizes = st.integers(1, 7)


@settings(max_examples=40)
@given(sizes, sizes, sizes, sizes)
def test_products_of_matrices_cost_what_torch_counts(n: int, m: int, k: int, b: int) -> None:
    left, right = torch.zeros(n, k, device="meta"), torch.zeros(k, m, device="meta")
    bias = torch.zeros(m, device="meta")
    lefts, rights = left.expand(b, n, k), right.expand(b, k, m)
    for function, inputs in (
        (torch.mm, (left, right)),
        (torch.addmm, (bias, left, right)),
        (torch.bmm, (lefts, rights)),
        (torch.baddbmm, (bias, lefts, rights)),
    ):
        macs = sum(macs for _, macs, _ in traced(function, *inputs))
        assert 2 * macs == flops(function, *inputs)


@settings(max_examples=40)
@given(
    st.integers(1, 3), st.integers(1, 2), st.integers(1, 2), st.integers(1, 3), st.integers(1, 3),
    st.integers(1, 2), st.booleans(), st.booleans(),
)  # fmt: skip
def test_convolutions_cost_what_torch_counts(
    groups: int,
    channels: int,
    outputs: int,
    kernel: int,
    stride: int,
    dilation: int,
    bias: bool,
    transposed: bool,
) -> None:
    layer = (nn.ConvTranspose2d if transposed else nn.Conv2d)(
        groups * channels,
        groups * outputs,
        kernel,
        stride=stride,
        groups=groups,
        dilation=dilation,
        bias=bias,
        device="meta",
    )
    x = torch.zeros(2, groups * channels, 9, 8, device="meta")
    whole = trace(layer, x).whole
    assert 2 * whole.macs == flops(layer, x)
    assert whole.other_ops == (whole.num_activations if bias else 0)


@pytest.mark.parametrize(
    ("function", "shape", "expected"),
    [
        (F.relu, (2, 3), ("pointwise", 0, 6)),
        (lambda x: x + x, (2, 3), ("add", 0, 6)),
        (lambda x: torch.cat([x, x]), (2, 3), ("movement", 0, 0)),
        (lambda x: x.mean((2, 3)), (2, 3, 4, 4), ("pooling", 0, 96)),
        (lambda x: x.sum(1), (2, 3), ("reduction", 0, 6)),
        (lambda x: F.max_pool2d(x, 2), (1, 2, 4, 4), ("pooling", 0, 8 * 3)),
        (lambda x: F.avg_pool2d(x, (1, 2)), (1, 2, 4, 4), ("pooling", 0, 16 * 2)),
        (lambda x: F.adaptive_avg_pool2d(x, 2), (1, 2, 4, 4), ("pooling", 0, 32)),
        (lambda x: x.flatten(1), (2, 3, 4), ("movement", 0, 0)),
        (F.gelu, (2, 3), ("pointwise", 0, 6)),
    ],
)  # fmt: skip
def test_what_is_no_product_is_counted_apart(
    function: Callable[[Tensor], Tensor], shape: tuple[int, ...], expected: tuple[str, int, int]
) -> None:
    assert traced(function, torch.rand(shape)) == [expected]


@pytest.mark.parametrize("training", [False, True])
def test_a_norm_costs_its_formula(training: bool) -> None:
    whole = trace(nn.BatchNorm2d(3), torch.rand(2, 3, 4, 4), training=training).whole
    assert whole.macs == 0
    norms = [o.counted.other_ops for o in whole.operations if o.counted.kind == "norm"]
    assert norms == [96 * (8 if training else 4)]


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_every_algorithm_of_a_convolution_can_be_traced(name: str) -> None:
    layer = Conv2d(2, 3, 3, padding=1, implementation=name)
    whole = trace(layer, torch.rand(1, 2, 6, 6)).whole
    assert whole.outputs == ((1, 3, 6, 6),)
    if name in {"native", "unfold"}:  # products as the definition has them
        assert whole.macs == 36 * 3 * 2 * 9


def test_an_unknown_operation_is_other_and_nothing() -> None:
    kinds = traced(torch.linalg.inv, torch.eye(3)[None])
    assert ("other", 0, 0) in kinds


def test_counting_asks_only_for_shapes() -> None:
    assert traced(torch.mm, torch.zeros(2, 3), torch.zeros(3, 4)) == traced(
        torch.mm, torch.zeros(2, 3, device="meta"), torch.zeros(3, 4, device="meta")
    )
    assert count.__doc__
