"""The reference against sums written out by hand; against torch in tests/ops/test_catalog.py."""

import torch

from convlens.ops.algorithms.reference import adaptive_pool, correlate, pool, transpose
from convlens.ops.geometry import Geometry, PoolGeometry

X = torch.tensor([[[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]]])
KERNEL = torch.tensor([[[[10.0, 1.0]]]])


def test_each_number_by_hand() -> None:
    y = correlate(X, KERNEL, torch.tensor([0.5]), Geometry.of((1, 2), padding=(0, 1)))
    assert y.tolist() == [[[[1.5, 12.5, 23.5, 30.5], [4.5, 45.5, 56.5, 60.5]]]]
    y = correlate(X, KERNEL, None, Geometry.of((1, 2), stride=2, dilation=(1, 2)))
    assert y.tolist() == [[[[13]]]]
    y = correlate(X, KERNEL, None, Geometry.of((1, 2), padding=(0, 1), padding_mode="circular"))
    assert y.tolist() == [[[[31, 12, 23, 31], [64, 45, 56, 64]]]]


def test_the_transpose_by_hand() -> None:
    geometry = Geometry.of((1, 2), stride=(1, 2))
    y = transpose(X, KERNEL, None, geometry, (0, 1))
    assert y.tolist() == [[[[10, 1, 20, 2, 30, 3, 0], [40, 4, 50, 5, 60, 6, 0]]]]


def test_pooling_by_hand() -> None:
    geometry = PoolGeometry.of(2, padding=1)
    assert pool(X, geometry, "max").tolist() == [[[[1, 3], [4, 6]]]]
    assert pool(X, geometry, "avg").tolist() == [[[[0.25, 1.25], [1, 2.75]]]]
    assert adaptive_pool(X, (1, 2), "avg").tolist() == [[[[3, 4]]]]


def test_of_equal_cells_the_first_takes_the_gradient() -> None:
    x = torch.ones(1, 1, 2, 2, requires_grad=True)
    (grad,) = torch.autograd.grad(pool(x, PoolGeometry.of(2), "max").sum(), x)
    assert grad.tolist() == [[[[1, 0], [0, 0]]]]
