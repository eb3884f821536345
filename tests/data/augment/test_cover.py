"""Rectangles cover the pixels that loops would paint, and the share that was asked for."""

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.data.augment.cover import Rectangles, erase, rectangles, squares
from tests.strategies import seeds

sizes = st.integers(1, 12)


def numbers(*shape: int, seed: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@given(sizes, sizes, st.integers(0, 14), seeds)
def test_a_square_is_painted_as_far_as_it_lies_inside(
    height: int, width: int, size: int, seed: int
) -> None:
    images = (numbers(3, 2, height, width, seed=seed) * 100).to(torch.uint8)
    row, col = (numbers(2, 3, seed=seed) * torch.tensor([[height], [width]])).long()
    chosen = torch.tensor([True, False, True])
    found = erase(images, squares(row, col, size), chosen, fill=200)
    for number, image in enumerate(images.numpy()):
        expected = image.copy()
        top, left = int(row[number]) - size // 2, int(col[number]) - size // 2
        for i in range(top, top + size):
            for j in range(left, left + size):
                if chosen[number] and 0 <= i < height and 0 <= j < width:
                    expected[:, i, j] = 200
        assert np.array_equal(found[number].numpy(), expected)


def test_a_square_wholly_inside_covers_its_area() -> None:
    where = squares(torch.tensor([5]), torch.tensor([6]), 4)
    assert int(where.mask(12, 12).sum()) == 16


@given(sizes, sizes, st.floats(0.01, 0.99), st.floats(0.3, 3), seeds)
def test_a_rectangle_lies_inside_the_image(
    height: int, width: int, area: float, shape: float, seed: int
) -> None:
    place = numbers(5, 2, seed=seed)
    full = torch.ones(5, dtype=torch.float64)
    where = rectangles(area * full, shape * full, place, height=height, width=width)
    high, wide = where.bottom - where.top, where.right - where.left
    assert (where.top >= 0).all() and (where.bottom <= height).all() and (high > 0).all()
    assert (where.left >= 0).all() and (where.right <= width).all() and (wide > 0).all()
    assert torch.equal(where.mask(height, width).sum((1, 2, 3)), high * wide)


@given(st.floats(0.02, 0.3), st.floats(0.3, 3.3))
def test_a_rectangle_covers_its_share_to_whole_pixels(area: float, shape: float) -> None:
    """Each side is off by half a pixel at most."""
    one = torch.ones(1, dtype=torch.float64)
    where = rectangles(area * one, shape * one, torch.zeros(1, 2), height=100, width=100)
    high, wide = where.bottom - where.top, where.right - where.left
    assert abs(high.item() - (area * 1e4 * shape) ** 0.5) <= 0.5
    assert abs(wide.item() - (area * 1e4 / shape) ** 0.5) <= 0.5
    assert abs(int(high * wide) - area * 1e4) <= 0.5 * (high + wide).item() + 0.25


def test_the_ends_of_place_are_the_corners() -> None:
    one = torch.ones(2, dtype=torch.float64)
    place = torch.tensor([[0.0, 0.0], [0.999, 0.999]])
    where = rectangles(0.25 * one, one, place, height=4, width=6)
    assert where == Rectangles(*where)
    assert where.top.tolist() == [0, 2] and where.bottom.tolist() == [2, 4]
    assert where.left.tolist() == [0, 4] and where.right.tolist() == [2, 6]
