from typing import Any

import pytest
import torch

from convlens.core.errors import ShapeError
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.plain import convolve, correlate, pool
from tests.strategies import whole


def test_several_channels_in_and_out() -> None:
    x, kernel = whole(3, 6, 7), whole(4, 3, 2, 2, seed=1)
    y = cross_correlation2d(x[None], kernel)[0]
    assert torch.equal(correlate(x, kernel), y)
    assert torch.equal(correlate(x, kernel[1]), y[1])
    assert torch.equal(
        correlate(x[0], kernel[0, 0]), cross_correlation2d(x[None, :1], kernel[:1, :1])[0, 0]
    )


def test_the_settings_are_those_of_the_operation() -> None:
    x, kernel = whole(6, 7), whole(2, 3, seed=1)
    keywords: dict[str, Any] = {"stride": (1, 2), "padding": 1, "dilation": 2}
    y = cross_correlation2d(x[None, None], kernel[None, None], padding_mode="reflect", **keywords)
    found = correlate(x, kernel, padding_mode="reflect", implementation="reference", **keywords)
    assert torch.equal(found, y[0, 0])
    turned = convolve(x, kernel.flip(0, 1), padding_mode="reflect", **keywords)
    assert torch.equal(turned, y[0, 0])


@pytest.mark.parametrize("reduce", ["max", "avg"])
def test_pooling_keeps_the_channels(reduce: str) -> None:
    x = whole(3, 4, 6)
    y = pool(x, (2, 3), reduce)  # pyright: ignore[reportArgumentType]
    assert y.shape == (3, 2, 2)
    assert torch.equal(pool(x[1], (2, 3), reduce), y[1])  # pyright: ignore[reportArgumentType]


def test_a_learner_may_write_lists() -> None:
    assert correlate([[1, 2], [3, 4]], [[1, 0], [0, 1]]).tolist() == [[5]]
    assert pool([[1, 2], [3, 4]], 2, "avg").tolist() == [[2.5]]


@pytest.mark.parametrize(
    ("x", "kernel"), [((4,), (2, 2)), ((4, 4), (2,)), ((4, 4), (1, 1, 2, 2)), ((3, 4, 4), (2, 2))]
)
def test_other_shapes_are_refused_with_the_ones_that_work(
    x: tuple[int, ...], kernel: tuple[int, ...]
) -> None:
    with pytest.raises(ShapeError, match=r"give \(h, w\) with \(kh, kw\), or"):
        correlate(torch.ones(x), torch.ones(kernel))


def test_what_cannot_be_read_is_refused() -> None:
    with pytest.raises(ShapeError, match="kernel: rows of different length"):
        correlate([[1, 2], [3, 4]], [[1], [1, 2]])
    with pytest.raises(ShapeError, match="no number"):
        pool([["a"]], 1)
    with pytest.raises(ShapeError, match=r"give \(h, w\) or"):
        pool([1, 2], 1)
    with pytest.raises(ShapeError, match="spans 3 but sees only 2"):
        correlate([[1, 2], [3, 4]], torch.ones(3, 3))


@pytest.mark.usefixtures("as_a_user")
def test_a_matrix_of_integers_is_told_what_to_do() -> None:
    with pytest.raises(ShapeError, match=r"(?s)x holds int64.*x\.float\(\)"):
        correlate(torch.arange(9).reshape(3, 3), torch.arange(4).reshape(2, 2))
