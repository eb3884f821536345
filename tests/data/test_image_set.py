"""Labelled images: every image has a label, every label a name, and sums are exact."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import DataError
from convlens.data.image_set import DataSet, FileState, ImageSet


def image_set(num_images: int, *, channels: int = 1, seed: int = 0) -> ImageSet:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(
        0, 256, (num_images, channels, 5, 4), generator=generator, dtype=torch.uint8
    )
    return ImageSet(pixels, torch.arange(num_images) % 3, ("a", "b", "c"))


@given(st.integers(1, 30), st.integers(1, 4), st.integers(0, 2**32))
def test_mean_and_standard_deviation_are_those_of_all_pixels(
    num_images: int, channels: int, seed: int
) -> None:
    data = image_set(num_images, channels=channels, seed=seed)
    mean, std = data.mean_and_std()
    scaled = data.images.double() / 255
    expected_std, expected_mean = torch.std_mean(scaled, (0, 2, 3), correction=0)
    assert mean == pytest.approx(expected_mean.tolist(), abs=1e-12)
    assert std == pytest.approx(expected_std.tolist(), abs=1e-12)


@given(st.integers(0, 20), st.integers(-25, 25), st.integers(-25, 25))
def test_a_part_is_the_slice_of_images_and_labels_and_shares_their_memory(
    num_images: int, start: int, stop: int
) -> None:
    whole = image_set(num_images)
    part = whole[start:stop]
    assert len(part) == len(range(num_images)[start:stop])
    assert torch.equal(part.images, whole.images[start:stop])
    assert torch.equal(part.labels, whole.labels[start:stop])
    assert part.class_names == whole.class_names
    assert part.images.untyped_storage().data_ptr() == whole.images.untyped_storage().data_ptr()


@pytest.mark.usefixtures("as_a_user")
def test_every_image_needs_a_label() -> None:
    pixels = torch.zeros(2_000, 1, 1, 1, dtype=torch.uint8)
    with pytest.raises(DataError, match=r"^2,000 images but 3 labels$"):
        ImageSet(pixels, torch.zeros(3, dtype=torch.int64), ("a",))


@pytest.mark.parametrize("labels", [[0, 3], [-1, 2]])
def test_every_label_needs_a_name(labels: list[int]) -> None:
    message = f"^labels run from {labels[0]} to {labels[1]}, but there are 3 classes$"
    with pytest.raises(DataError, match=message):
        ImageSet(torch.zeros(2, 1, 1, 1, dtype=torch.uint8), torch.tensor(labels), ("a", "b", "c"))


def test_a_data_set_is_official_if_every_file_is() -> None:
    official, own = FileState("a", "1", official=True), FileState("b", "2", official=False)
    images = image_set(3)
    assert DataSet(images, images, (official, official)).official
    assert not DataSet(images, images, (official, own)).official
