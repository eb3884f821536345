"""The hand-derived gradients against autograd, and against finite differences in float64.

A central difference with step h = 1e-3 of a function that is linear in each single number is
exact but for rounding: about 1e-16 of the loss over h, 1e-13 of it, hence the 1e-9.
"""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from convlens.core.errors import ShapeError
from convlens.ops.correlation import cross_correlation2d, transposed2d
from convlens.ops.geometry import Geometry
from convlens.ops.gradient import (
    avg_pool2d_backward,
    cross_correlation2d_backward,
    input_gradient,
    kernel_gradient,
    max_pool2d_backward,
    transposed2d_backward,
)
from convlens.ops.pooling import avg_pool2d, max_pool2d
from tests.strategies import (
    Case,
    PoolCase,
    cases,
    normal,
    output_paddings,
    pool_cases,
    transposable,
    whole,
)

STEP = 1e-3


def by_differences(loss: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """The slope of `loss` by each number of `at`, one central difference each."""
    slopes = torch.zeros_like(at)
    for index in range(at.numel()):
        change = torch.zeros_like(at)
        change.view(-1)[index] = STEP
        slopes.view(-1)[index] = (loss(at + change) - loss(at - change)) / (2 * STEP)
    return slopes


def near(mine: Tensor, theirs: Tensor) -> bool:
    return mine.shape == theirs.shape and bool((abs(mine - theirs) <= 1e-9).all())


@given(cases(kernel=5))
@settings(max_examples=80)
def test_the_correlations_gradients_are_autograds(case: Case) -> None:
    x = whole(*case.shape, seed=case.seed).requires_grad_()
    kernel = whole(*case.kernel_shape, seed=case.seed + 1).requires_grad_()
    bias = whole(case.out_channels, seed=case.seed + 2).requires_grad_()
    y = cross_correlation2d(x, kernel, bias=bias, **case.settings())
    grad_y = whole(*y.shape, seed=case.seed + 3)
    expected = torch.autograd.grad(y, (x, kernel, bias), grad_y)
    found = cross_correlation2d_backward(grad_y, x, kernel, **case.settings())
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.equal(mine, theirs)


@given(cases(kernel=3, spare=1, padding=1))
@settings(max_examples=12)
def test_the_correlations_gradients_are_the_finite_differences(case: Case) -> None:
    x, kernel = normal(*case.shape, seed=case.seed), normal(*case.kernel_shape, seed=case.seed + 1)
    bias = normal(case.out_channels, seed=case.seed + 2)

    def loss(x: Tensor, kernel: Tensor, bias: Tensor) -> Tensor:
        y = cross_correlation2d(x, kernel, bias=bias, **case.settings())
        return (y * normal(*y.shape, seed=case.seed + 3)).sum()

    shape = cross_correlation2d(x, kernel, **case.settings()).shape
    found = cross_correlation2d_backward(
        normal(*shape, seed=case.seed + 3), x, kernel, **case.settings()
    )
    assert near(found.x, by_differences(lambda t: loss(t, kernel, bias), x))
    assert near(found.kernel, by_differences(lambda t: loss(x, t, bias), kernel))
    assert near(found.bias, by_differences(lambda t: loss(x, kernel, t), bias))


@given(transposable, st.data())
@settings(max_examples=60)
def test_the_transposes_gradients_are_autograds(case: Case, data: st.DataObject) -> None:
    keywords = case.settings(output_padding=data.draw(output_paddings(case.geometry)))
    keywords.pop("padding_mode")
    size = case.geometry.output_size(*case.shape[2:])
    x = whole(case.shape[0], case.out_channels, *size, seed=case.seed).requires_grad_()
    kernel = whole(*case.kernel_shape, seed=case.seed + 1).requires_grad_()
    bias = whole(case.shape[1], seed=case.seed + 2).requires_grad_()
    y = transposed2d(x, kernel, bias=bias, **keywords)
    grad_y = whole(*y.shape, seed=case.seed + 3)
    expected = torch.autograd.grad(y, (x, kernel, bias), grad_y)
    found = transposed2d_backward(grad_y, x, kernel, **keywords)
    for mine, theirs in zip(found, expected, strict=True):
        assert torch.equal(mine, theirs)


@given(pool_cases(dilation=2))
@settings(max_examples=80)
def test_the_gradient_of_max_pooling_is_autograds(case: PoolCase) -> None:
    rows, columns = case.geometry.rows, case.geometry.columns
    keywords = case.settings(dilation=(rows.dilation, columns.dilation))
    x = whole(*case.shape, seed=case.seed).requires_grad_()
    y = F.max_pool2d(x, **keywords)
    if not y.isfinite().all():
        return  # a window that sees only padding has no slope
    grad_y = whole(*y.shape, seed=case.seed + 1)
    (expected,) = torch.autograd.grad(y, x, grad_y)
    assert torch.equal(max_pool2d_backward(grad_y, x, **keywords), expected)


@given(pool_cases())
@settings(max_examples=80)
def test_the_gradient_of_average_pooling_is_autograds(case: PoolCase) -> None:
    keywords = case.settings(count_include_pad=case.geometry.count_include_pad)
    x = whole(*case.shape, seed=case.seed).requires_grad_()
    y = F.avg_pool2d(x, **keywords)
    grad_y = whole(*y.shape, seed=case.seed + 1)
    (expected,) = torch.autograd.grad(y, x, grad_y)
    assert near(avg_pool2d_backward(grad_y, x, **keywords), expected)


@given(pool_cases())
@settings(max_examples=12)
def test_the_gradients_of_pooling_are_the_finite_differences(case: PoolCase) -> None:
    # Numbers 1 apart in random order: no two can change places within a step.
    count = torch.Size(case.shape).numel()
    order = torch.randperm(count, generator=torch.Generator().manual_seed(case.seed))
    x = order.double().reshape(case.shape)
    keywords = case.settings()
    for pool, backward in ((max_pool2d, max_pool2d_backward), (avg_pool2d, avg_pool2d_backward)):
        y = pool(x, **keywords)
        grad_y = normal(*y.shape, seed=case.seed)
        slopes = by_differences(lambda t: (pool(t, **keywords) * grad_y).sum(), x)  # noqa: B023
        assert near(backward(grad_y, x, **keywords), slopes)


@given(cases(modes=("zeros",), kernel=4))
@settings(max_examples=40)
def test_the_inputs_gradient_is_the_transposed_correlation(case: Case) -> None:
    geometry = case.geometry
    kernel = whole(*case.kernel_shape, seed=case.seed + 1)
    size = geometry.output_size(*case.shape[2:])
    grad_y = whole(case.shape[0], case.out_channels, *size, seed=case.seed)
    extra = tuple(
        (length + 2 * window.padding - window.extent) % window.stride
        for length, window in zip(case.shape[2:], (geometry.rows, geometry.columns), strict=True)
    )
    keywords = case.settings(output_padding=extra)
    keywords.pop("padding_mode")
    image = (case.shape[2], case.shape[3])
    found = input_gradient(grad_y, kernel, geometry, image)
    assert torch.equal(found, transposed2d(grad_y, kernel, **keywords))


@given(cases(modes=("zeros",), kernel=4, groups=1, least_batch=1))
@settings(max_examples=40)
def test_the_kernels_gradient_is_a_correlation_whose_stride_and_dilation_swap(case: Case) -> None:
    geometry = case.geometry
    rows, columns = geometry.rows, geometry.columns
    size = geometry.output_size(*case.shape[2:])
    x = whole(*case.shape, seed=case.seed)
    grad_y = whole(case.shape[0], case.out_channels, *size, seed=case.seed + 1)
    swapped = cross_correlation2d(
        x.transpose(0, 1),
        grad_y.transpose(0, 1),
        stride=(rows.dilation, columns.dilation),
        padding=geometry.padding,
        dilation=(rows.stride, columns.stride),
    ).transpose(0, 1)
    found = kernel_gradient(grad_y, x, geometry)
    assert torch.equal(found, swapped[:, :, : rows.kernel, : columns.kernel])


def test_the_books_kernel_has_a_gradient() -> None:
    """d2l 7.2, exercise 3: nothing fails when a convolution is differentiated."""
    x = torch.zeros(6, 8)
    x[:, :2] = x[:, 6:] = 1
    found = cross_correlation2d_backward(
        torch.ones(1, 1, 6, 7), x[None, None], torch.tensor([[[[1.0, -1.0]]]])
    )
    assert found.kernel.flatten().tolist() == [18, 18]


def test_a_gradient_of_the_wrong_shape_is_refused() -> None:
    x, kernel = torch.ones(1, 1, 4, 4), torch.ones(1, 1, 2, 2)
    with pytest.raises(ShapeError, match=r"grad_y has shape \(1, 1, 4, 4\).*\(1, 1, 3, 3\)"):
        cross_correlation2d_backward(torch.ones(1, 1, 4, 4), x, kernel)
    with pytest.raises(ShapeError, match="grad_y has shape"):
        max_pool2d_backward(torch.ones(1, 1, 4, 4), x, 2)
    with pytest.raises(ShapeError, match="different types"):
        avg_pool2d_backward(torch.ones(1, 1, 2, 2).double(), x, 2)


def test_an_empty_batch_has_gradients_of_zero() -> None:
    geometry = Geometry.of(3)
    assert (
        kernel_gradient(torch.ones(0, 2, 1, 1), torch.ones(0, 4, 3, 3), geometry).abs().sum() == 0
    )
