"""Mirrored, shifted and turned batches are what loops over their images and pixels give."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from convlens.core.errors import ConfigError
from convlens.data.augment.moves import mirror, rotate, shift
from tests.strategies import seeds

sizes = st.integers(1, 9)
fills = st.integers(0, 255)


def pixels(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def whole(low: int, high: int, num: int, seed: int) -> Tensor:
    return torch.randint(low, high + 1, (num,), generator=torch.Generator().manual_seed(seed))


@given(sizes, sizes, seeds)
def test_only_the_chosen_are_mirrored(height: int, width: int, seed: int) -> None:
    images, chosen = pixels(4, 2, height, width, seed=seed), whole(0, 1, 4, seed) == 1
    for image, new, turned in zip(images, mirror(images, chosen), chosen, strict=True):
        expected = image.numpy()[:, :, ::-1] if turned else image.numpy()
        assert np.array_equal(new.numpy(), expected)


@given(sizes, sizes, seeds)
def test_mirrored_twice_is_the_image(height: int, width: int, seed: int) -> None:
    images, chosen = pixels(3, 1, height, width, seed=seed), whole(0, 1, 3, seed) == 1
    assert torch.equal(mirror(mirror(images, chosen), chosen), images)


@given(sizes, sizes, fills, seeds)
def test_a_shift_is_a_cut_of_the_padded_image(
    height: int, width: int, fill: int, seed: int
) -> None:
    images = pixels(4, 2, height, width, seed=seed)
    down, right = whole(-3, 3, 4, seed), whole(-3, 3, 4, seed + 1)
    found = shift(images, down, right, fill=fill)
    for image, new, i, j in zip(images, found, down.tolist(), right.tolist(), strict=True):
        padded = np.pad(image.numpy(), ((0, 0), (3, 3), (3, 3)), constant_values=fill)
        expected = padded[:, 3 - i : 3 - i + height, 3 - j : 3 - j + width]
        assert np.array_equal(new.numpy(), expected)


@given(st.integers(4, 9), st.integers(4, 9), seeds)
def test_a_reflecting_shift_is_a_cut_of_the_reflected_image(
    height: int, width: int, seed: int
) -> None:
    images = pixels(4, 2, height, width, seed=seed)
    down, right = whole(-3, 3, 4, seed), whole(-3, 3, 4, seed + 1)
    found = shift(images, down, right, fill=None)
    for image, new, i, j in zip(images, found, down.tolist(), right.tolist(), strict=True):
        padded = np.pad(image.numpy(), ((0, 0), (3, 3), (3, 3)), mode="reflect")
        expected = padded[:, 3 - i : 3 - i + height, 3 - j : 3 - j + width]
        assert np.array_equal(new.numpy(), expected)


@given(sizes, sizes, seeds)
def test_no_shift_is_the_image(height: int, width: int, seed: int) -> None:
    images, none = pixels(2, 1, height, width, seed=seed), torch.zeros(2, dtype=torch.int64)
    assert torch.equal(shift(images, none, none), images)
    assert torch.equal(shift(images, none, none, fill=None), images)


@given(st.integers(1, 9), seeds)
def test_what_is_shifted_out_is_gone(size: int, seed: int) -> None:
    images, far = pixels(1, 1, size, size, seed=seed), torch.tensor([size])
    assert (shift(images, far, far, fill=7) == 7).all()


@pytest.mark.parametrize("far", [3, -3])
def test_a_reflection_beyond_the_image_is_refused(far: int) -> None:
    none, moved = torch.tensor([0]), torch.tensor([far])
    shift(pixels(1, 1, 4, 4), none, moved, fill=None)
    with pytest.raises(ConfigError, match=r"^augment\.translate: a side of 3 pixels .* 2 at most"):
        shift(pixels(1, 1, 4, 3), none, moved, fill=None)


def turned(image: Tensor, degrees: float, fill: int) -> Tensor:
    """Pixel by pixel: the place that turns into this one, linear between the four around it."""
    height, width = image.shape
    result = torch.zeros(height, width, dtype=torch.float64)
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    for i in range(height):
        for j in range(width):
            y, x = i - (height - 1) / 2, j - (width - 1) / 2
            row = sin * x + cos * y + (height - 1) / 2
            col = cos * x - sin * y + (width - 1) / 2
            top, left = math.floor(row), math.floor(col)
            for a in (top, top + 1):
                for b in (left, left + 1):
                    inside = 0 <= a < height and 0 <= b < width
                    value = float(image[a, b]) if inside else float(fill)
                    result[i, j] += value * (1 - abs(row - a)) * (1 - abs(col - b))
    return result


@given(st.integers(1, 7), st.integers(1, 7), st.floats(-180, 180), fills, seeds)
def test_a_rotation_is_linear_between_pixels(
    height: int, width: int, degrees: float, fill: int, seed: int
) -> None:
    images = pixels(2, 1, height, width, seed=seed)
    found = rotate(images, torch.tensor([degrees, -degrees]), fill=fill)
    for image, new, angle in zip(images[:, 0], found[:, 0], (degrees, -degrees), strict=True):
        difference = new.double() - turned(image, angle, fill)
        assert difference.abs().max() <= 0.5 + 0.01  # rounding to a byte


@pytest.mark.parametrize("quarters", [0, 1, 2, 3, 4])
def test_a_quarter_turn_moves_whole_pixels(quarters: int) -> None:
    images = pixels(1, 3, 6, 6)
    found = rotate(images, torch.tensor([90.0 * quarters]))
    assert np.array_equal(found[0].numpy(), np.rot90(images[0].numpy(), quarters, axes=(1, 2)))
