import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import ShapeError
from convlens.ops.algorithms.matrix import correlation_matrix, kernel_of, steps_from_dense
from convlens.ops.geometry import Geometry
from tests.strategies import Case, cases, whole


def size_of(case: Case) -> tuple[int, int]:
    return case.shape[2], case.shape[3]


@given(cases(kernel=4))
def test_locality_is_where_the_zeros_are(case: Case) -> None:
    """A row holds at most one kernel; every other entry of the dense matrix would be zero."""
    kernel = torch.ones(case.kernel_shape)
    matrix = correlation_matrix(kernel, case.geometry, size_of(case))
    height, width = case.geometry.output_size(*size_of(case))
    assert matrix.shape == (
        case.out_channels * height * width,
        case.shape[1] * case.shape[2] * case.shape[3],
    )
    taps = kernel[0].numel()
    per_row = (matrix.to_dense() != 0).sum(1)
    assert (per_row <= taps).all()
    if case.geometry.padding == (0, 0):
        assert (per_row == taps).all()


@given(cases(kernel=4, padding=0))
def test_translation_invariance_is_the_repeated_entries(case: Case) -> None:
    """Without padding, the entries of each row are the kernel's, in the same order."""
    kernel = 1 + torch.arange(float(torch.Size(case.kernel_shape).numel())).reshape(
        case.kernel_shape
    )
    matrix = correlation_matrix(kernel, case.geometry, size_of(case)).to_dense()
    places = len(matrix) // case.out_channels
    for row, entries in enumerate(matrix):
        assert torch.equal(entries[entries != 0], kernel[row // places].flatten())


@given(cases(kernel=3, modes=("zeros",)))
def test_a_matrix_product_is_the_correlation_of_each_unit_image(case: Case) -> None:
    kernel = whole(*case.kernel_shape, seed=case.seed)
    matrix = correlation_matrix(kernel, case.geometry, size_of(case)).to_dense()
    units = torch.eye(matrix.shape[1], dtype=torch.float64).reshape(-1, *case.shape[1:])
    rows, columns = case.geometry.rows, case.geometry.columns
    y = torch.nn.functional.conv2d(
        units,
        kernel,
        None,
        (rows.stride, columns.stride),
        case.geometry.padding,
        (rows.dilation, columns.dilation),
        case.geometry.groups,
    )
    assert torch.equal(matrix, y.flatten(1).T)


@given(cases(kernel=4, padding=0, modes=("zeros",)))
def test_the_kernel_can_be_read_off_its_matrix(case: Case) -> None:
    geometry = Geometry(case.geometry.rows, case.geometry.columns)
    kernel = whole(*geometry.kernel_size, seed=case.seed)
    matrix = correlation_matrix(kernel[None, None], geometry, size_of(case)).to_dense()
    found = kernel_of(matrix, geometry, size_of(case))
    assert found is not None
    assert torch.equal(found, kernel)


def test_a_fully_connected_layer_is_no_convolution() -> None:
    geometry = Geometry.of(2)
    matrix = correlation_matrix(whole(1, 1, 2, 2), geometry, (3, 3)).to_dense()
    assert kernel_of(torch.randn(4, 9), geometry, (3, 3)) is None
    not_local = matrix.clone()
    not_local[0, 8] = 1
    assert kernel_of(not_local, geometry, (3, 3)) is None
    not_invariant = matrix.clone()
    not_invariant[3, 8] += 1
    assert kernel_of(not_invariant, geometry, (3, 3)) is None
    with pytest.raises(ShapeError, match="without padding only"):
        kernel_of(matrix, Geometry.of(2, padding=1), (3, 3))


def test_a_matrix_too_large_for_memory_is_refused_before_it_is_made() -> None:
    with pytest.raises(ShapeError, match=r"its matrix has 9,\d{3},\d{3},\d{3} entries"):
        correlation_matrix(torch.ones(32, 32, 3, 3), Geometry.of(3), (1002, 1002))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(0, 2))
def test_the_steps_count_what_the_matrices_hold(height: int, width: int, delta: int) -> None:
    dense, again, invariant, local, _ = steps_from_dense(height, width, delta)
    pixels = height * width
    assert dense.num_weights == again.num_weights == pixels * pixels
    assert dense.num_parameters == pixels * pixels + pixels
    # Translation invariance alone: a kernel that reaches every pixel from every place.
    geometry = Geometry.of((2 * height - 1, 2 * width - 1), padding=(height - 1, width - 1))
    kernel = torch.arange(1.0, invariant.num_weights + 1).reshape(1, 1, *geometry.kernel_size)
    matrix = correlation_matrix(kernel, geometry, (height, width)).to_dense()
    assert matrix.shape == (pixels, pixels)
    assert (matrix != 0).all()
    assert matrix.unique().numel() == invariant.num_weights
    # With locality: delta around each place.
    assert local.num_weights == (2 * delta + 1) ** 2
    assert local.num_biases == 1


def test_the_steps_of_the_book() -> None:
    counts = [step.num_parameters for step in steps_from_dense(1000, 1000, 10)]
    assert counts == [10**12 + 10**6, 10**12 + 10**6, 1999**2 + 1, 442, 442]
    last = steps_from_dense(32, 32, 1, in_channels=3, out_channels=16)[-1]
    assert last.num_parameters == torch.nn.Conv2d(3, 16, 3).weight.numel() + 16
    with pytest.raises(ShapeError, match="delta=-1"):
        steps_from_dense(3, 3, -1)
