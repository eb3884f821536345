"""What an operation costs is what torch's own counter says, and what it leaves out."""

from collections.abc import Callable
from typing import Any

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
        (F.linear, (lefts, right.T, bias)),
        (torch.matmul, (lefts, right)),
    ):
        macs = sum(macs for _, macs, _ in traced(function, *inputs))
        assert 2 * macs == flops(function, *inputs)


@settings(max_examples=20)
@given(sizes, sizes)
def test_products_with_a_vector_cost_the_same_product_with_a_narrow_matrix(n: int, k: int) -> None:
    matrix, vector = torch.zeros(n, k, device="meta"), torch.zeros(k, device="meta")
    bias = torch.zeros(n, device="meta")
    wanted = flops(torch.mm, matrix, vector[:, None]) // 2
    assert traced(torch.mv, matrix, vector) == [("matmul", wanted, 0)]
    assert traced(torch.addmv, bias, matrix, vector) == [("matmul", wanted, n)]
    assert traced(torch.dot, vector, vector) == [("matmul", k, 0)]


@settings(max_examples=20)
@given(sizes, sizes, sizes, sizes)
def test_attention_costs_its_two_products_however_it_runs(
    n: int, queries: int, keys: int, features: int
) -> None:
    shapes = [(n, 2, queries, features), (n, 2, keys, features), (n, 2, keys, features)]
    macs = 2 * (n * 2 * queries * keys * features)
    for device in ("cpu", "meta"):  # as one operation, and as several
        inputs = [torch.zeros(shape, device=device) for shape in shapes]
        ran = traced(F.scaled_dot_product_attention, *inputs)
        assert sum(each[1] for each in ran) == macs
        assert "other" not in {kind for kind, _, _ in ran}
        assert sum(each[2] for each in ran) >= 5 * n * 2 * queries * keys  # the softmax


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
        (F.hardswish, (2, 3), ("pointwise", 0, 6)),
        (lambda x: x.softmax(1), (2, 3), ("reduction", 0, 5 * 6)),
        (lambda x: x.topk(2)[0], (2, 3), ("reduction", 0, 6)),
        (lambda x: F.layer_norm(x, (3,)), (2, 3), ("norm", 0, 6 * 6)),
        (lambda x: F.group_norm(x, 2, torch.ones(4)), (2, 4, 3), ("norm", 0, 7 * 24)),
        (lambda x: F.max_pool3d(x, 2), (1, 2, 4, 4, 4), ("pooling", 0, 16 * 7)),
        (lambda x: F.avg_pool3d(x, (1, 2, 2)), (1, 2, 4, 4, 4), ("pooling", 0, 32 * 4)),
        (lambda x: F.adaptive_avg_pool3d(x, 2), (2, 4, 4, 4), ("pooling", 0, 128)),
        (lambda x: F.adaptive_max_pool2d(x, 1), (1, 2, 4, 4), ("pooling", 0, 30)),
        (lambda x: F.pad(x, (1, 1), "reflect"), (1, 2, 4), ("movement", 0, 0)),
        (lambda x: F.pixel_shuffle(x, 2), (1, 4, 2, 2), ("movement", 0, 0)),
        (lambda x: F.interpolate(x, scale_factor=2), (1, 2, 3, 3), ("movement", 0, 0)),
        (torch.diagonal, (3, 3), ("movement", 0, 0)),
        (lambda x: torch.arange(3) // 2, (1,), ("movement", 0, 0)),
        (torch.fft.fft, (2, 8), ("transform", 0, 5 * 16 * 3 // 2)),
        (
            lambda x: F.interpolate(x, scale_factor=2, mode="bilinear"),
            (1, 2, 3, 3),
            ("pooling", 0, 72 * 7),
        ),
    ],
)  # fmt: skip
def test_what_is_no_product_is_counted_apart(
    function: Callable[[Tensor], Tensor], shape: tuple[int, ...], expected: tuple[str, int, int]
) -> None:
    assert traced(function, torch.rand(shape))[-1:] == [expected]


IN_PLACE = [nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.SiLU, nn.Mish,
            nn.Hardswish, nn.Hardsigmoid, nn.Hardtanh]  # fmt: skip


@pytest.mark.parametrize("kind", IN_PLACE)
def test_what_an_activation_costs_in_place_it_costs_beside(kind: Any) -> None:
    for layer in (kind(), kind(inplace=True)):
        assert traced(layer, torch.rand(2, 3)) == [("pointwise", 0, 6)]


def test_counters_of_batches_are_none_of_the_arithmetic() -> None:
    whole = trace(nn.BatchNorm2d(3), torch.rand(2, 3, 4, 4), training=True).whole
    (counter,) = (o for o in whole.operations if o.name == "add_")
    assert (counter.counted.kind, counter.counted.other_ops) == ("movement", 0)


def test_a_matrix_of_a_convolution_costs_what_is_not_zero_in_it() -> None:
    layer = Conv2d(2, 3, 3, implementation="matrix")
    whole = trace(layer, torch.rand(2, 2, 6, 6)).whole
    assert whole.macs == 2 * (16 * 3 * 2 * 9)
    assert "other" not in {operation.counted.kind for operation in whole.operations}


@pytest.mark.parametrize("training", [False, True])
def test_a_norm_costs_its_formula(training: bool) -> None:
    for bias, each in ((True, 4), (False, 3)):
        layer = nn.BatchNorm2d(3, bias=bias)
        whole = trace(layer, torch.rand(2, 3, 4, 4), training=training).whole
        assert whole.other_ops == 96 * (each + 4 * training)
    whole = trace(nn.BatchNorm2d(3), torch.rand(2, 3, 4, 4), training=training).whole
    assert whole.macs == 0
    norms = [o.counted.other_ops for o in whole.operations if o.counted.kind == "norm"]
    assert norms == [96 * (8 if training else 4)]


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_every_algorithm_of_a_convolution_can_be_traced(name: str) -> None:
    layer = Conv2d(2, 3, 3, padding=1, implementation=name)
    whole = trace(layer, torch.rand(1, 2, 6, 6)).whole
    assert whole.outputs == ((1, 3, 6, 6),)
    assert "other" not in {operation.counted.kind for operation in whole.operations}
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
