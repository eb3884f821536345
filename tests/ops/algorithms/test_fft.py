"""The parts of the FFT correlation; its results are tested in tests/ops/test_catalog.py."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from hypothesis import given

from convlens.ops.algorithms.fft import correlate, spread
from convlens.ops.geometry import Geometry
from tests.strategies import Case, cases, normal, whole


@given(cases(kernel=4, dilation=3))
def test_a_kernel_with_its_holes_written_out_needs_no_dilation(case: Case) -> None:
    kernel = whole(*case.kernel_shape, seed=case.seed)
    rows, columns = case.geometry.rows, case.geometry.columns
    wide = spread(kernel, case.geometry)
    assert wide.shape[2:] == (rows.extent, columns.extent)
    assert wide.count_nonzero() == kernel.count_nonzero()
    x = whole(2, kernel.shape[1], rows.extent + 1, columns.extent + 1, seed=case.seed + 1)
    dilation = (rows.dilation, columns.dilation)
    assert torch.equal(F.conv2d(x, wide), F.conv2d(x, kernel, dilation=dilation))


@pytest.mark.parametrize("size", [(7, 11), (8, 8), (13, 1), (97, 5)])
def test_odd_and_prime_sizes(size: tuple[int, int]) -> None:
    x, kernel = normal(1, 1, *size), normal(1, 1, min(3, size[0]), min(3, size[1]), seed=1)
    y = correlate(x, kernel, None, Geometry.of(tuple(kernel.shape[2:])))
    assert torch.allclose(y, F.conv2d(x, kernel), atol=1e-12)
