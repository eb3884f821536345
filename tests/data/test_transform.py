"""A batch is prepared as its formula says, and resized as torch itself would."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.shapes import Batch, Pixels
from convlens.data.transform import Prepare, resize_matrix

sizes = st.integers(1, 64)


def pixels(*shape: int, seed: int = 0) -> Pixels:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def interpolated(x: Batch, size: int) -> Batch:
    return F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False)


@given(sizes, sizes, sizes, st.integers(1, 3), st.integers(0, 2**32))
def test_resizing_is_bilinear_interpolation(
    height: int, width: int, new_size: int, channels: int, seed: int
) -> None:
    images = pixels(2, channels, height, width, seed=seed)
    expected = interpolated(images.float() / 255, new_size)
    torch.testing.assert_close(Prepare(new_size)(images), expected, rtol=0, atol=1e-5)


@given(sizes, sizes)
def test_the_weights_of_each_new_pixel_sum_to_one(size: int, new_size: int) -> None:
    matrix = resize_matrix(size, new_size)
    assert matrix.shape == (new_size, size)
    assert matrix.min() >= 0
    assert torch.allclose(matrix.sum(1), torch.ones(new_size))
    assert int((matrix > 0).sum(1).max()) <= 2


@given(sizes)
def test_resizing_to_the_same_size_changes_nothing(size: int) -> None:
    assert torch.equal(resize_matrix(size, size), torch.eye(size))


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 2)), min_size=1, max_size=3),
    st.sampled_from([5, 8]),
)
def test_pixels_are_scaled_and_normalised_by_channel(
    channels: list[tuple[float, float]], size: int
) -> None:
    mean, std = (tuple(column) for column in zip(*channels, strict=True))
    images = pixels(3, len(channels), 5, 5)
    per_channel = [
        (images[:, channel].double() / 255 - m) / s for channel, (m, s) in enumerate(channels)
    ]
    expected = interpolated(torch.stack(per_channel, 1), size)
    found = Prepare(size, mean=mean, std=std)(images)
    torch.testing.assert_close(found.double(), expected, rtol=1e-5, atol=1e-4)


def test_without_settings_pixels_run_from_0_to_1() -> None:
    images = torch.tensor([0, 51, 255], dtype=torch.uint8).reshape(1, 1, 1, 3).expand(1, 1, 3, 3)
    assert Prepare(3)(images)[0, 0, 0].tolist() == pytest.approx([0, 0.2, 1])


def test_preparing_leaves_the_pixels_as_they_were() -> None:
    images = pixels(2, 1, 4, 4)
    before = images.clone()
    for size in (4, 6):
        Prepare(size, mean=(0.5,), std=(0.5,))(images)
    assert torch.equal(images, before)


def test_evaluating_first_does_not_hinder_training() -> None:
    prepare = Prepare(6)
    with torch.inference_mode():
        prepare(pixels(2, 1, 4, 4))
    weight = torch.ones(1, 1, 3, 3, requires_grad=True)
    F.conv2d(prepare(pixels(2, 1, 4, 4)), weight).sum().backward()
    assert weight.grad is not None


@pytest.mark.parametrize("size", [(6, 4), (3, 9)])
def test_height_and_width_may_differ(size: tuple[int, int]) -> None:
    images = pixels(2, 1, 4, 4)
    expected = F.interpolate(images.double() / 255, size, mode="bilinear")
    torch.testing.assert_close(Prepare(size)(images).double(), expected, rtol=1e-5, atol=1e-5)
