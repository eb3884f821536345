"""Every usual array of images is taken for the same images, and every other is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import ConfigError, DataError, ShapeError
from convlens.experiment.classifier.arrays import (
    classes_of,
    held_out,
    numbered,
    pixels_of,
    plain_labels,
)

BYTES = np.random.default_rng(0).integers(0, 256, (4, 6, 6, 3), dtype=np.uint8)
GREY = BYTES[..., 0]


@pytest.mark.parametrize(
    "images",
    [
        BYTES,
        BYTES.transpose(0, 3, 1, 2),
        BYTES / 255,
        (BYTES / 255).astype(np.float32),
        BYTES.astype(np.int64),
        BYTES.tolist(),
        torch.from_numpy(BYTES),
        torch.from_numpy(BYTES).permute(0, 3, 1, 2) / 255,
    ],
)
def test_colour_images_are_the_same_bytes_however_they_are_given(images: object) -> None:
    assert torch.equal(pixels_of(images), torch.from_numpy(BYTES).permute(0, 3, 1, 2))


@pytest.mark.parametrize("images", [GREY, GREY[..., None], GREY[:, None], GREY / 255])
def test_grey_images_too(images: object) -> None:
    assert torch.equal(pixels_of(images), torch.from_numpy(GREY.copy())[:, None])


@pytest.mark.parametrize(
    ("images", "error", "words"),
    [
        (GREY[:, :5], ShapeError, r"not \(4, 5, 6\)\ncut a square"),
        (BYTES[..., :2], ShapeError, r"not \(4, 6, 6, 2\)"),
        (GREY.reshape(4, 36), ShapeError, r"X\.reshape\(-1, 6, 6\)"),
        (GREY[0, 0], ShapeError, r"not \(6,\)"),
        (GREY[:0], DataError, "no images"),
        (GREY.astype(float), DataError, r"floats go from 0 to 1; these go from"),
        (GREY.astype(int) - 300, DataError, "whole numbers go from 0 to 255"),
        (np.full((2, 4, 4), np.nan), DataError, "floats go from 0 to 1"),
        (np.full((2, 4, 4), "a"), DataError, "arrays of numbers, not of <U1"),
        (GREY > 3, DataError, "arrays of numbers, not of bool"),
    ],
)
def test_what_is_no_array_of_square_images_is_refused(
    images: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        pixels_of(images)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array([3, 1, 3], dtype=np.int8), [1, 3]),
        (torch.tensor([3, 1, 3]), [1, 3]),
        (["b", "a", "b"], ["a", "b"]),
        (np.array(["b", "a"]), ["a", "b"]),
        ([np.int64(2), np.int64(1)], [1, 2]),
        ([True, False], [False, True]),
        ([(1, 2), (0, 5), (1, 2)], [(0, 5), (1, 2)]),
        (["b", 3, None], ["b", 3, None]),
    ],
)
def test_labels_of_any_kind_are_numbered_by_their_classes(
    labels: object, classes: list[object]
) -> None:
    found = classes_of(labels)
    assert found.tolist() == classes
    places = numbered(plain_labels(labels), found).tolist()
    assert [classes[place] for place in places] == plain_labels(labels)


def test_classes_have_the_type_of_the_labels() -> None:
    assert classes_of(np.array([3, 1], dtype=np.int8)).dtype == np.int8
    assert classes_of(["long", "a"]).dtype == np.array(["long"]).dtype


@pytest.mark.parametrize(
    ("labels", "error", "words"),
    [
        ([1, 1, 1], DataError, "at least two classes, and found 1"),
        (np.ones((3, 1)), ShapeError, r"y\.ravel\(\)"),
    ],
)
def test_labels_that_cannot_be_learned_are_refused(
    labels: object, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        classes_of(labels)


def test_a_label_that_was_not_learned_is_named() -> None:
    with pytest.raises(DataError, match="label 'c' is none of the classes"):
        numbered(["a", "c"], np.array(["a", "b"]))


@given(
    counts=st.lists(st.integers(1, 30), min_size=2, max_size=6),
    share=st.floats(0.05, 0.9),
    seed=st.integers(0, 9),
)
def test_each_class_gives_its_share_to_within_one_image(
    counts: list[int], share: float, seed: int
) -> None:
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    wanted = max(1, min(round(share * len(labels)), len(labels) - 1))
    chosen = held_out(labels, wanted, seed)
    assert int(chosen.sum()) == wanted
    for label, count in enumerate(counts):
        part = int(chosen[labels == label].sum())
        assert abs(part - count * wanted / len(labels)) <= 1


def test_a_seed_decides_which_are_held_out() -> None:
    labels = torch.arange(60) % 3
    first, again, other = (held_out(labels, 0.5, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("wanted", [0, 10, 11, -1, 0.0, 1.0, 0.01, 1.5])
def test_to_hold_out_none_or_all_is_refused(wanted: int | float) -> None:
    with pytest.raises(ConfigError, match=r"validation: .* of 10 images leaves none"):
        held_out(torch.arange(10) % 2, wanted, 0)
