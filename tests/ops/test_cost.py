from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from convlens.core.errors import ShapeError
from convlens.ops.correlation import cross_correlation2d, transposed2d
from convlens.ops.cost import (
    Cost,
    adaptive_pool_cost,
    correlation_backward_cost,
    correlation_cost,
    layer_norm_cost,
    linear_backward_cost,
    linear_cost,
    norm_cost,
    pool_backward_cost,
    pool_cost,
    transposed_backward_cost,
    transposed_cost,
)
from convlens.ops.geometry import Geometry, PoolGeometry
from tests.strategies import Case, PoolCase, cases, pool_cases, whole


def counted(run: Callable[[], object]) -> int:
    """The FLOPs that torch counts."""
    with FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


@given(cases(modes=("zeros",)))
@settings(max_examples=40)
def test_flops_are_what_torch_counts_forward(case: Case) -> None:
    cost = correlation_cost(case.geometry, case.shape, case.out_channels, bias=case.has_bias)
    x, kernel, bias = case.tensors(torch.float32)
    keywords = case.settings()
    assert cost.flops == counted(lambda: cross_correlation2d(x, kernel, bias=bias, **keywords))


@given(cases(modes=("zeros",), groups=1), st.booleans())
@settings(max_examples=40)
def test_flops_are_what_torch_counts_backward(case: Case, input_gradient: bool) -> None:
    # One group only: torch leaves the groups out of the kernel's gradient.
    cost = correlation_backward_cost(
        case.geometry, case.shape, case.out_channels, input_gradient=input_gradient
    )
    x, kernel, _ = case.tensors(torch.float32)
    y = cross_correlation2d(
        x.requires_grad_(input_gradient), kernel.requires_grad_(), **case.settings()
    )
    assert cost.flops == counted(lambda: y.sum().backward())


@given(cases(modes=("zeros",), kernel=4, padding=0), st.booleans())
@settings(max_examples=40)
def test_the_transposes_flops_are_torchs(case: Case, input_gradient: bool) -> None:
    geometry, shape = case.geometry, (case.shape[0], case.out_channels, *case.shape[2:])
    x, kernel = torch.ones(shape), torch.ones(case.kernel_shape, requires_grad=True)
    keywords = case.settings()
    keywords.pop("padding_mode")
    outputs: list[Tensor] = []

    def forward() -> None:
        outputs.append(transposed2d(x.requires_grad_(input_gradient), kernel, **keywords))

    cost = transposed_cost(geometry, shape, case.shape[1])
    assert cost.flops == counted(forward)
    assert cost.num_activations == outputs[0].numel()
    assert cost.num_parameters == kernel.numel() + outputs[0].shape[1]
    assert cost.other_ops == outputs[0].numel()
    assert cost.written_bytes == outputs[0].nbytes
    if geometry.groups > 1:
        return  # torch leaves the groups out of the kernel's gradient
    cost = transposed_backward_cost(geometry, shape, case.shape[1], input_gradient=input_gradient)
    assert cost.flops == counted(lambda: outputs[0].sum().backward())


@given(cases())
def test_the_counts_are_the_lengths_of_the_tensors(case: Case) -> None:
    x, kernel, bias = case.tensors(torch.float32)
    y = cross_correlation2d(x, kernel, bias=bias, **case.settings())
    cost = correlation_cost(case.geometry, case.shape, case.out_channels, bias=case.has_bias)
    parameters = kernel.numel() + (bias.numel() if bias is not None else 0)
    assert cost.num_parameters == parameters
    assert cost.num_activations == y.numel()
    assert cost.macs == y.numel() * kernel[0].numel()
    assert cost.other_ops == (y.numel() if case.has_bias else 0)
    assert cost.read_bytes == x.nbytes + 4 * parameters
    assert cost.written_bytes == y.nbytes
    half = correlation_cost(
        case.geometry, case.shape, case.out_channels, bias=case.has_bias, item_bytes=2
    )
    assert 2 * half.moved_bytes == cost.moved_bytes


@given(cases())
def test_a_backward_pass_reads_and_writes_each_tensor_once(case: Case) -> None:
    x, kernel, bias = case.tensors(torch.float32)
    y = cross_correlation2d(x, kernel, bias=bias, **case.settings())
    cost = correlation_backward_cost(
        case.geometry, case.shape, case.out_channels, bias=case.has_bias
    )
    bias_bytes = bias.nbytes if bias is not None else 0
    assert cost.read_bytes == y.nbytes + x.nbytes + kernel.nbytes
    assert cost.written_bytes == x.nbytes + kernel.nbytes + bias_bytes
    assert cost.other_ops == (y.numel() if case.has_bias else 0)  # each slope, to its bias's sum
    assert cost.num_parameters == cost.num_activations == 0


@given(cases())
def test_a_training_step_is_three_forward_passes_of_macs(case: Case) -> None:
    shape = (case.geometry, case.shape, case.out_channels)
    forward, backward = correlation_cost(*shape), correlation_backward_cost(*shape)
    step = forward + backward
    assert step.macs == 3 * forward.macs
    assert step.num_parameters == forward.num_parameters
    assert step.num_activations == forward.num_activations
    first = correlation_backward_cost(*shape, input_gradient=False)
    assert first.macs == forward.macs
    assert backward.written_bytes - first.written_bytes == 4 * torch.Size(case.shape).numel()


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 4), st.integers(1, 9))
def test_b_diagonal_blocks_cost_exactly_one_bth(b: int, c: int, o: int, size: int) -> None:
    shape = (1, b * c, size, size)
    dense = correlation_cost(Geometry.of(1), shape, b * o, bias=False)
    blocked = correlation_cost(Geometry.of(1, groups=b), shape, b * o, bias=False)
    assert blocked.macs * b == dense.macs
    assert blocked.num_parameters * b == dense.num_parameters
    blocks = torch.block_diag(*(torch.ones(o, c) for _ in range(b)))  # the same as a matrix
    assert blocks.count_nonzero() == blocked.num_parameters


def test_a_block_diagonal_matrix_is_a_grouped_1x1_kernel() -> None:
    x, kernel = whole(2, 6, 3, 3), whole(9, 2, 1, 1, seed=1)
    matrix = torch.block_diag(*kernel[:, :, 0, 0].chunk(3))
    y = cross_correlation2d(x, kernel, groups=3)
    assert torch.equal(matrix @ x.flatten(2), y.flatten(2))


@pytest.mark.parametrize("factor", [2, 3])
def test_twice_the_channels_four_times_the_work(factor: int) -> None:
    one = correlation_cost(Geometry.of(3, padding=1), (1, 4, 8, 8), 6)
    more = correlation_cost(Geometry.of(3, padding=1), (1, 4 * factor, 8, 8), 6 * factor)
    assert more.macs == factor**2 * one.macs


@pytest.mark.parametrize("stride", [2, 4])
def test_a_stride_saves_its_square(stride: int) -> None:
    one = correlation_cost(Geometry.of(3, padding=1), (1, 4, 16, 16), 6)
    strided = correlation_cost(Geometry.of(3, padding=1, stride=stride), (1, 4, 16, 16), 6)
    assert strided.macs * stride**2 == one.macs


@given(pool_cases())
def test_pooling_has_no_macs_and_counts_its_comparisons(case: PoolCase) -> None:
    n, c, height, width = case.shape
    places = torch.Size(case.geometry.output_size(height, width)).numel()
    taps = case.geometry.rows.kernel * case.geometry.columns.kernel
    greatest = pool_cost(case.geometry, case.shape, "max")
    mean = pool_cost(case.geometry, case.shape, "avg")
    assert greatest.macs == mean.macs == 0
    assert greatest.other_ops == n * c * places * (taps - 1)
    assert mean.other_ops == n * c * places * taps
    assert greatest.num_activations == n * c * places
    back = pool_backward_cost(case.geometry, case.shape, "max")
    assert back.other_ops == n * c * places
    assert back.written_bytes == 4 * n * c * height * width
    assert pool_backward_cost(case.geometry, case.shape, "avg").other_ops == back.other_ops * (
        taps + 1
    )


@given(st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_adaptive_pooling_that_divides_evenly_is_pooling(size: int, rows: int, count: int) -> None:
    shape = (2, 3, rows * count, size * count)
    plain = pool_cost(PoolGeometry.of((rows, size)), shape, "max")
    assert adaptive_pool_cost(shape, (count, count), "max") == plain
    plain = pool_cost(PoolGeometry.of((rows, size)), shape, "avg")
    assert adaptive_pool_cost(shape, (count, count), "avg") == plain


def test_adaptive_windows_that_overlap_are_each_counted() -> None:
    cost = adaptive_pool_cost((1, 1, 1, 5), (1, 2), "avg")  # 0 to 2, and 2 to 4
    assert cost.other_ops == 6
    assert adaptive_pool_cost((1, 1, 1, 5), (1, 2), "max").other_ops == 4
    assert (cost.num_activations, cost.read_bytes, cost.written_bytes) == (2, 20, 8)


def test_a_linear_layer_is_torchs() -> None:
    layer = torch.nn.Linear(400, 120)
    x = torch.ones(8, 400, requires_grad=True)
    cost, outputs = linear_cost(8, 400, 120), list[Tensor]()
    assert cost.flops == counted(lambda: outputs.append(layer(x)))
    assert cost.num_parameters == sum(p.numel() for p in layer.parameters())
    assert linear_backward_cost(8, 400, 120).flops == counted(lambda: outputs[0].sum().backward())


def test_the_convolutions_of_lenet_add_up() -> None:
    total = Cost()
    total += correlation_cost(Geometry.of(5, padding=2), (1, 1, 28, 28), 6)
    total += pool_cost(PoolGeometry.of(2), (1, 6, 28, 28), "avg")
    total += correlation_cost(Geometry.of(5), (1, 6, 14, 14), 16)
    total += pool_cost(PoolGeometry.of(2), (1, 16, 10, 10), "avg")
    for inputs, outputs in ((400, 120), (120, 84), (84, 10)):
        total += linear_cost(1, inputs, outputs)
    assert total.num_parameters == 61_706
    assert total.macs == 416_520
    assert total.flops == 833_040


@pytest.mark.parametrize(
    "settings_", [{"shape": (1, 3, 8, 8), "out": 4}, {"shape": (1, 4, 8, 8), "out": 3}]
)
def test_channels_that_do_not_divide_are_refused(settings_: dict[str, Any]) -> None:
    with pytest.raises(ShapeError, match="do not both divide into groups=2"):
        correlation_cost(Geometry.of(3, groups=2), settings_["shape"], settings_["out"])


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize(("affine", "bias"), [(False, False), (True, False), (True, True)])
def test_a_norm_costs_the_operations_of_its_definition(
    training: bool, affine: bool, bias: bool
) -> None:
    cost = norm_cost((2, 3, 4, 5), affine=affine, bias=bias, training=training)
    statistics = ["sum", "difference", "square", "sum"] if training else []
    steps = [*statistics, "difference", "division", *["product"] * affine, *["sum"] * bias]
    assert cost.other_ops == len(steps) * 120
    assert cost.macs == 0
    assert cost.num_parameters == 3 * (affine + bias)
    assert cost.num_activations == 120
    assert cost.written_bytes == 4 * 120
    assert cost.read_bytes == 4 * (120 + 3 * (affine + bias) + 2 * 3)


@given(st.lists(st.integers(1, 4), min_size=2, max_size=5), st.booleans())
def test_a_layer_norm_computes_what_a_norm_in_training_does(shape: list[int], affine: bool) -> None:
    each = layer_norm_cost(tuple(shape), shape[1], affine=affine)
    batch = norm_cost(tuple(shape), affine=affine, training=True)
    assert each.other_ops == batch.other_ops
    assert each.num_parameters == batch.num_parameters
    assert batch.read_bytes - each.read_bytes == 4 * 2 * shape[1]  # what the batch norm remembers


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 9))
def test_adaptive_pooling_goes_along_any_number_of_axes(size: int, count: int, depth: int) -> None:
    flat = adaptive_pool_cost((2, 3, size, size), (count, count), "avg")
    deep = adaptive_pool_cost((2, 3, size, size, depth), (count, count, 1), "avg")
    assert deep.other_ops == depth * flat.other_ops
    assert deep.num_activations == flat.num_activations
