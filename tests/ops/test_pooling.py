import math

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from hypothesis import find, given, settings
from hypothesis import strategies as st
from torch import Tensor

from convlens.ops.catalog import names_for
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.pooling import (
    adaptive_avg_pool2d,
    adaptive_max_pool2d,
    avg_pool2d,
    global_avg_pool2d,
    global_max_pool2d,
    max_pool2d,
)
from tests.strategies import PoolCase, normal, pool_cases, seeds, whole

SUM_ROUNDING = 1e-14  # a mean of at most 16 whole numbers up to 4: a few roundings of 2^-53


def same(mine: Tensor, theirs: Tensor) -> bool:
    return mine.shape == theirs.shape and bool((abs(mine - theirs) <= SUM_ROUNDING).all())


@given(pool_cases(dilation=2))
@settings(max_examples=80)
def test_max_pooling_and_its_gradient_are_torchs(case: PoolCase) -> None:
    rows, columns = case.geometry.rows, case.geometry.columns
    dilation = (rows.dilation, columns.dilation)
    x = whole(*case.shape, seed=case.seed).requires_grad_()  # many equal cells: ties count
    expected = F.max_pool2d(x, dilation=dilation, **case.settings())
    grad_y = whole(*expected.shape, seed=case.seed + 1)
    if expected.isfinite().all():  # where a window sees only padding, torch's slope is undefined
        (expected_grad,) = torch.autograd.grad(expected, x, grad_y)
    else:
        expected_grad = None
    for name in names_for("pool"):
        y = max_pool2d(x, dilation=dilation, implementation=name, **case.settings())
        assert torch.equal(y, expected), name
        if expected_grad is not None:
            (grad,) = torch.autograd.grad(y, x, grad_y)
            assert torch.equal(grad, expected_grad), name


@given(pool_cases())
@settings(max_examples=80)
def test_average_pooling_and_its_gradient_are_torchs(case: PoolCase) -> None:
    keywords = case.settings(count_include_pad=case.geometry.count_include_pad)
    x = whole(*case.shape, seed=case.seed).requires_grad_()
    expected = F.avg_pool2d(x, **keywords)
    grad_y = whole(*expected.shape, seed=case.seed + 1)
    (expected_grad,) = torch.autograd.grad(expected, x, grad_y)
    for name in names_for("pool"):
        y = avg_pool2d(x, implementation=name, **keywords)
        (grad,) = torch.autograd.grad(y, x, grad_y)
        assert same(y, expected), name
        assert same(grad, expected_grad), name


@given(
    st.tuples(st.integers(0, 2), st.integers(1, 2), st.integers(1, 8), st.integers(1, 8)),
    st.tuples(st.integers(1, 9), st.integers(1, 9)),
    st.sampled_from(names_for("adaptive_pool")),
)
@settings(max_examples=60)
def test_adaptive_pooling_is_torchs(
    shape: tuple[int, int, int, int], size: tuple[int, int], name: str
) -> None:
    x = whole(*shape)
    expected = F.adaptive_max_pool2d(x, size)
    assert torch.equal(adaptive_max_pool2d(x, size, implementation=name), expected)
    expected = F.adaptive_avg_pool2d(x, size)
    assert same(adaptive_avg_pool2d(x, size, implementation=name), expected)


def test_global_pooling_is_the_whole_image() -> None:
    x = normal(2, 3, 4, 5)
    assert torch.equal(global_max_pool2d(x), x.amax((2, 3), keepdim=True))
    assert same(global_avg_pool2d(x), x.mean((2, 3), keepdim=True))


@pytest.mark.parametrize("name", names_for("pool"))
def test_a_nan_wins_every_window_that_sees_it(name: str) -> None:
    x = whole(1, 1, 6, 6)
    x[0, 0, 2, 3] = math.nan
    expected = F.max_pool2d(x, 3, 1)
    assert torch.equal(max_pool2d(x, 3, stride=1, implementation=name).isnan(), expected.isnan())
    expected = F.avg_pool2d(x, 3, 1)
    assert torch.equal(avg_pool2d(x, 3, stride=1, implementation=name).isnan(), expected.isnan())


@given(pool_cases())
@settings(max_examples=50)
def test_average_pooling_is_a_grouped_convolution(case: PoolCase) -> None:
    rows, columns = case.geometry.rows, case.geometry.columns
    x, channels = whole(*case.shape, seed=case.seed), case.shape[1]
    mean = torch.full(
        (channels, 1, rows.kernel, columns.kernel),
        1 / (rows.kernel * columns.kernel),
        dtype=torch.float64,
    )
    keywords = case.settings(ceil_mode=False)
    expected = avg_pool2d(x, count_include_pad=True, **keywords)
    stride, padding = keywords["stride"], keywords["padding"]
    y = cross_correlation2d(x, mean, stride=stride, padding=padding, groups=channels)
    assert same(y, expected)


squares = st.lists(st.integers(-1, 1), min_size=4, max_size=4).map(
    lambda cells: torch.tensor(cells, dtype=torch.float64).reshape(1, 1, 2, 2)
)


def not_odd(x: Tensor) -> bool:
    """A linear function has f(x) + f(-x) = 0."""
    return bool((max_pool2d(x, 2) + max_pool2d(-x, 2) != 0).any())


def test_max_pooling_is_no_convolution_and_here_is_why() -> None:
    x = find(squares, not_odd)
    assert x.abs().sum() == 1  # the simplest counterexample: one cell differs from the rest
    assert max_pool2d(x, 2) + max_pool2d(-x, 2) == 1


@given(squares)
def test_average_pooling_has_no_such_counterexample(x: Tensor) -> None:
    assert (avg_pool2d(x, 2) + avg_pool2d(-x, 2) == 0).all()


@given(st.integers(-100, 100), st.integers(-100, 100))
def test_the_greater_of_two_is_a_relu_and_a_sum(a: int, b: int) -> None:
    x, y = torch.tensor(float(a)), torch.tensor(float(b))
    assert torch.maximum(x, y) == torch.relu(x - y) + y


@given(seeds)
def test_max_pooling_can_be_built_from_convolutions_and_relu(seed: int) -> None:
    x = whole(1, 1, 6, 8, seed=seed)

    def greater_of_neighbours(x: Tensor, difference: Tensor, second: Tensor) -> Tensor:
        return torch.relu(cross_correlation2d(x, difference)) + cross_correlation2d(x, second)

    down = torch.tensor([[[[1.0], [-1.0]]]]).double(), torch.tensor([[[[0.0], [1.0]]]]).double()
    right = torch.tensor([[[[1.0, -1.0]]]]).double(), torch.tensor([[[[0.0, 1.0]]]]).double()
    y = greater_of_neighbours(greater_of_neighbours(x, *down), *right)
    assert torch.equal(y[:, :, ::2, ::2], max_pool2d(x, 2))
    assert torch.equal(y, max_pool2d(x, 2, stride=1))


@given(seeds)
def test_the_least_is_minus_the_greatest_of_the_negative(seed: int) -> None:
    x = whole(1, 2, 6, 6, seed=seed)
    least = x.unflatten(3, (3, 2)).unflatten(2, (3, 2)).amin((3, 5))
    assert torch.equal(-max_pool2d(-x, 2), least)
