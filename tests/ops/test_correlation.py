"""The public operations: equal to torch's, and the laws that they keep.

The laws are tested on whole numbers in float64, where every sum is exact: they hold bit for bit.
"""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from convlens.ops.catalog import IMPLEMENTATIONS
from convlens.ops.correlation import (
    convolution1d,
    convolution2d,
    cross_correlation1d,
    cross_correlation2d,
    transposed1d,
    transposed2d,
)
from tests.strategies import Case, cases, seeds, whole

EXACT = ("matrix", "native", "reference", "unfold")
small = st.integers(1, 4)


@given(cases(modes=("zeros",), kernel=4, spare=3), st.sampled_from(EXACT))
@settings(max_examples=60)
def test_every_setting_reaches_the_computation(case: Case, name: str) -> None:
    x, kernel = whole(*case.shape, seed=case.seed), whole(*case.kernel_shape, seed=case.seed + 1)
    bias = whole(case.out_channels, seed=case.seed + 2) if case.has_bias else None
    keywords = case.settings()
    y = cross_correlation2d(x, kernel, bias=bias, implementation=name, **keywords)
    keywords.pop("padding_mode")
    assert torch.equal(y, F.conv2d(x, kernel, bias, **keywords))
    turned = convolution2d(x, kernel, bias=bias, implementation=name, **keywords)
    assert torch.equal(turned, F.conv2d(x, kernel.flip(2, 3), bias, **keywords))


@given(cases(kernel=5), st.sampled_from(EXACT))
@settings(max_examples=60)
def test_a_signal_is_a_flat_image(case: Case, name: str) -> None:
    x = whole(*case.shape[:2], case.shape[3], seed=case.seed)
    kernel = whole(*case.kernel_shape[:2], case.kernel_shape[3], seed=case.seed + 1)
    bias = whole(case.out_channels, seed=case.seed + 2) if case.has_bias else None
    window, mode = case.geometry.columns, case.geometry.padding_mode
    groups, stride, dilation = case.geometry.groups, window.stride, window.dilation
    padded = (
        F.pad(x, (window.padding, window.padding))
        if mode == "zeros"
        else F.pad(x, (window.padding, window.padding), mode=mode)
    )
    assert torch.equal(
        cross_correlation1d(
            x,
            kernel,
            bias=bias,
            stride=stride,
            padding=window.padding,
            dilation=dilation,
            groups=groups,
            padding_mode=mode,
            implementation=name,
        ),
        F.conv1d(padded, kernel, bias, stride, 0, dilation, groups),
    )
    assert torch.equal(
        convolution1d(padded, kernel, stride=stride, dilation=dilation, groups=groups),
        F.conv1d(padded, kernel.flip(2), None, stride, 0, dilation, groups),
    )


@given(st.integers(1, 6), small, st.sampled_from([(1, 0), (2, 0), (2, 1), (3, 2)]), seeds)
def test_transposed_signals_are_torchs(
    size: int, kernel_size: int, stride_and_more: tuple[int, int], seed: int
) -> None:
    stride, more = stride_and_more
    x, kernel = whole(2, 4, size, seed=seed), whole(4, 3, kernel_size, seed=seed + 1)
    bias = whole(6, seed=seed + 2)
    for name in EXACT:
        y = transposed1d(
            x, kernel, bias=bias, stride=stride, output_padding=more, groups=2, implementation=name
        )
        assert torch.equal(y, F.conv_transpose1d(x, kernel, bias, stride, 0, more, 2))


def test_an_output_padding_beyond_the_stride_is_torchs_too() -> None:
    x, kernel = whole(1, 2, 3, 3), whole(2, 2, 2, 2)
    for name in EXACT:
        y = transposed2d(x, kernel, dilation=3, output_padding=2, implementation=name)
        assert torch.equal(y, F.conv_transpose2d(x, kernel, None, 1, 0, 2, 1, 3))


@pytest.mark.parametrize("name", EXACT)
@given(case=cases(kernel=3, spare=3), factor=st.integers(-3, 3))
@settings(max_examples=20)
def test_it_is_linear_in_the_image_and_in_the_kernel(name: str, case: Case, factor: int) -> None:
    a, b = (whole(*case.shape, seed=case.seed + i) for i in (0, 1))
    k, m = (whole(*case.kernel_shape, seed=case.seed + i) for i in (2, 3))
    keywords = case.settings(implementation=name)
    left = cross_correlation2d(factor * a + b, k, **keywords)
    right = factor * cross_correlation2d(a, k, **keywords) + cross_correlation2d(b, k, **keywords)
    assert torch.equal(left, right)
    left = cross_correlation2d(a, factor * k + m, **keywords)
    right = factor * cross_correlation2d(a, k, **keywords) + cross_correlation2d(a, m, **keywords)
    assert torch.equal(left, right)


@given(cases(padding=0, kernel=3), st.integers(0, 2), st.integers(0, 2))
def test_a_shifted_image_gives_a_shifted_output_inside_the_border(
    case: Case, down: int, right: int
) -> None:
    kernel = whole(*case.kernel_shape, seed=case.seed + 1)
    rows, columns = case.geometry.rows, case.geometry.columns
    height = case.shape[2] + down * rows.stride
    width = case.shape[3] + right * columns.stride
    x = whole(*case.shape[:2], height, width, seed=case.seed)
    shifted = x[:, :, down * rows.stride :, right * columns.stride :]
    y = cross_correlation2d(x, kernel, **case.settings())
    assert torch.equal(
        cross_correlation2d(shifted, kernel, **case.settings()), y[:, :, down:, right:]
    )


@given(st.sampled_from([1, 3, 5]), st.integers(1, 3), st.integers(0, 9), seeds)
def test_on_a_ring_a_shift_is_exact_everywhere(
    size: int, dilation: int, shift: int, seed: int
) -> None:
    around = dilation * (size - 1) // 2
    x = whole(2, 2, around + 1, around + 3, seed=seed)
    kernel = whole(3, 2, size, size, seed=seed + 1)

    def ring(x: Tensor) -> Tensor:
        return cross_correlation2d(
            x, kernel, padding=around, dilation=dilation, padding_mode="circular"
        )

    assert torch.equal(ring(x.roll((shift, shift), (2, 3))), ring(x).roll((shift, shift), (2, 3)))


@given(small, small, small, small, seeds)
def test_true_convolution_commutes(a: int, b: int, c: int, d: int, seed: int) -> None:
    f, g = whole(1, 1, a, b, seed=seed), whole(1, 1, c, d, seed=seed + 1)
    left = convolution2d(f, g, padding=(c - 1, d - 1))
    right = convolution2d(g, f, padding=(a - 1, b - 1))
    assert torch.equal(left, right)


def test_cross_correlation_does_not_commute() -> None:
    f, g = torch.tensor([[[[1.0, 2.0]]]]), torch.tensor([[[[1.0, 0.0]]]])
    left = cross_correlation2d(f, g, padding=(0, 1))
    assert not torch.equal(left, cross_correlation2d(g, f, padding=(0, 1)))


@given(cases(kernel=4))
def test_transposed_matrices_give_the_transposed_output(case: Case) -> None:
    x, kernel = whole(*case.shape, seed=case.seed), whole(*case.kernel_shape, seed=case.seed + 1)
    keywords = case.settings()
    y = cross_correlation2d(x, kernel, **keywords)
    for name in ("stride", "padding", "dilation"):
        keywords[name] = keywords[name][::-1]
    assert torch.equal(cross_correlation2d(x.mT, kernel.mT, **keywords), y.mT)


@given(small, small, st.integers(0, 3), seeds)
def test_two_stacked_convolutions_are_one_of_size_k1_plus_k2_less_1(
    k1: int, k2: int, spare: int, seed: int
) -> None:
    size = k1 + k2 - 1
    x = whole(2, 2, size + spare, size + spare, seed=seed)
    first, second = whole(3, 2, k1, k1, seed=seed + 1), whole(2, 3, k2, k2, seed=seed + 2)
    stacked = cross_correlation2d(cross_correlation2d(x, first), second)
    # Channel by channel, the one kernel is the true convolution of the two.
    one = convolution2d(first.transpose(0, 1), second, padding=k2 - 1).transpose(0, 1)
    assert one.shape == (2, 2, size, size)
    assert torch.equal(cross_correlation2d(x, one), stacked)


@given(seeds)
def test_not_every_larger_kernel_is_two_smaller_ones(seed: int) -> None:
    first, second = whole(1, 1, 1, 2, seed=seed), whole(1, 1, 1, 2, seed=seed + 1)
    a, b, c = convolution2d(first, second, padding=(0, 1)).flatten()
    assert b * b - 4 * a * c >= 0  # a z^2 + b z + c has the real factors that it was made of
    a, b, c = 1, 0, 1
    assert b * b - 4 * a * c < 0  # z^2 + 1 has none, so no two kernels of size 2 make (1, 0, 1)


@given(cases(kernel=1, padding=0, stride=1, dilation=1, modes=("zeros",), groups=1))
def test_a_1x1_kernel_is_a_matrix_product_over_the_channels(case: Case) -> None:
    x, kernel = whole(*case.shape, seed=case.seed), whole(*case.kernel_shape, seed=case.seed + 1)
    product = kernel[:, :, 0, 0] @ x.flatten(2)
    assert torch.equal(cross_correlation2d(x, kernel).flatten(2), product)


@given(cases(kernel=3))
def test_groups_are_separate_correlations_side_by_side(case: Case) -> None:
    x, kernel = whole(*case.shape, seed=case.seed), whole(*case.kernel_shape, seed=case.seed + 1)
    keywords = case.settings()
    groups = keywords.pop("groups")
    parts = [
        cross_correlation2d(images, kernels, **keywords)
        for images, kernels in zip(x.chunk(groups, 1), kernel.chunk(groups, 0), strict=True)
    ]
    y = cross_correlation2d(x, kernel, groups=groups, **keywords)
    assert torch.equal(y, torch.cat(parts, 1))


@given(cases(modes=("zeros",), kernel=3))
@settings(max_examples=60)
def test_the_transpose_is_the_adjoint(case: Case) -> None:
    """`<corr(x), z> = <x, transposed(z)>` for all x and z: what a transpose is."""
    x, kernel = whole(*case.shape, seed=case.seed), whole(*case.kernel_shape, seed=case.seed + 1)
    keywords = case.settings()
    keywords.pop("padding_mode")
    y = cross_correlation2d(x, kernel, **keywords)
    z = whole(*y.shape, seed=case.seed + 2)
    extra = tuple(
        (size + 2 * window.padding - window.extent) % window.stride
        for size, window in zip(
            case.shape[2:], (case.geometry.rows, case.geometry.columns), strict=True
        )
    )
    back = transposed2d(z, kernel, output_padding=extra, **keywords)
    assert back.shape == x.shape
    assert (y * z).sum() == (x * back).sum()


@pytest.mark.parametrize("name", IMPLEMENTATIONS)
def test_a_network_can_train_on_any_implementation(name: str) -> None:
    x, target = whole(4, 2, 7, 7, seed=1), whole(4, 3, 7, 7, seed=2)
    kernel = torch.zeros(3, 2, 3, 3, dtype=torch.float64, requires_grad=True)
    losses: list[float] = []
    for _ in range(5):
        loss = (cross_correlation2d(x, kernel, padding=1, implementation=name) - target).square()
        (slope,) = torch.autograd.grad(loss.mean(), kernel)
        losses.append(loss.mean().item())
        kernel = (kernel - 0.02 * slope).detach().requires_grad_()
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_the_default_is_torch_itself_bit_for_bit() -> None:
    x, kernel, bias = torch.randn(2, 3, 9, 9), torch.randn(4, 3, 3, 3), torch.randn(4)
    y = cross_correlation2d(x, kernel, bias=bias, stride=2, padding=1)
    assert torch.equal(y, F.conv2d(x, kernel, bias, 2, 1))
