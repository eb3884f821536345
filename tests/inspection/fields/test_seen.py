from dataclasses import replace
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.inspection.fields.seen import (
    Piece,
    Seen,
    blurred,
    everything,
    image,
    mixed,
    moved,
    only_axis,
    permuted,
    regrouped,
    resized,
    united,
    without,
)
from convlens.inspection.fields.sight import Sight, slide
from convlens.ops.window import Window

SHAPE = (2, 6, 8, 9)
IMAGE = image(SHAPE)
ROWS, COLUMNS = (Piece(8, 0),), (Piece(9, 1),)
VIEWS = [(2, 6, 72), (12, 72), (2, 2, 3, 4, 2, 9), (2, 48, 9), (2, 6, 9, 8), (1, 2, 6, 8, 1, 9)]
shapes = st.tuples(*[st.integers(1, 6)] * 4)


@given(shapes, st.permutations(range(4)))
def test_views_that_come_back_have_changed_nothing(
    shape: tuple[int, ...], order: list[int]
) -> None:
    seen = image(shape)
    back = [order.index(dim) for dim in range(4)]
    assert permuted(permuted(seen, order), back) == seen
    n, c, h, w = shape
    if min(n, h, w, c) > 1:  # else a dim of size 1 may pass for another
        pixels = regrouped(permuted(seen, (0, 2, 3, 1)), (n * h * w, c))
        assert permuted(regrouped(pixels, (n, h, w, c)), (0, 3, 1, 2)) == seen
    assert regrouped(seen, shape) == seen


@pytest.mark.parametrize("shape", VIEWS)
def test_a_view_has_the_shape_it_is_asked_for(shape: tuple[int, ...]) -> None:
    view = regrouped(IMAGE, shape)
    assert tuple(prod(piece.size for piece in dim) for dim in view.dims) == shape


def test_channels_may_be_shuffled() -> None:
    shuffled = permuted(regrouped(IMAGE, (2, 2, 3, 8, 9)), (0, 2, 1, 3, 4))
    assert regrouped(shuffled, SHAPE) == IMAGE


def test_a_flat_row_of_pixels_lies_along_no_single_axis() -> None:
    flat = regrouped(IMAGE, (2, 6, 72))
    assert flat.dims[2] == (*ROWS, *COLUMNS)
    assert only_axis(flat.dims[2]) is None
    assert mixed(flat, [-1]) == everything((2, 6, 72))


def test_an_axis_of_one_place_survives_a_view_without_it() -> None:
    strip = image((2, 6, 1, 9))
    flat = regrouped(strip, (2, 6, 9))
    assert flat.dims[2] == COLUMNS
    assert regrouped(flat, (2, 6, 1, 9)) == strip
    assert mixed(flat, [1]).sights == (None, strip.sights[1])  # it went with the channels


def test_channels_last_of_one_pixel_survive_a_linear_layers_view() -> None:
    pixel = permuted(image((2, 6, 1, 1)), (0, 2, 3, 1))
    rows = regrouped(pixel, (2, 6))
    assert only_axis(rows.dims[1]) is None
    assert regrouped(mixed(rows, [1]), (2, 1, 1, 6)) == pixel


def test_a_number_has_no_place() -> None:
    assert regrouped(image((1, 1, 1, 1)), ()) == everything(())


@pytest.mark.parametrize("shape", [(2, 6, 9, 8), (2, 6, 12, 6), (2, 6, 8)])
def test_a_view_across_pieces_sees_everything(shape: tuple[int, ...]) -> None:
    assert regrouped(IMAGE, shape) == everything(shape)


def test_what_is_mixed_sees_the_axes_of_its_dims_whole() -> None:
    assert mixed(IMAGE, [0, 1]) == IMAGE
    assert mixed(IMAGE, [2]) == blurred(IMAGE, [0])
    assert mixed(IMAGE, [2, -1]) == everything(SHAPE)
    assert resized(IMAGE, 1, 16) == replace(IMAGE, dims=((Piece(2),), (Piece(16),), ROWS, COLUMNS))
    assert without(IMAGE, [-2, 1]).dims == ((Piece(2),), COLUMNS)


def test_a_move_changes_the_sight_of_its_axis() -> None:
    seen = moved(IMAGE, -1, slide(Window(3, stride=2)), 4)
    assert seen.dims[3] == (Piece(4, 1),)
    assert seen.sights == (IMAGE.sights[0], Sight(Window(3, stride=2), 9))
    assert moved(IMAGE, -1, lambda sight: None, 4) == resized(IMAGE, -1, 4)
    assert moved(IMAGE, 1, slide(Window(3)), 4) == resized(IMAGE, 1, 4)


def test_a_union_sees_what_either_sees() -> None:
    wide = moved(IMAGE, 2, slide(Window(3, padding=1)), 8)
    assert united([IMAGE, wide], SHAPE) == wide == united([wide, IMAGE], SHAPE)
    assert united([IMAGE, everything(SHAPE)], SHAPE) == everything(SHAPE)


def strided(seen: Seen) -> Seen:
    """The same size at another pace."""
    return moved(seen, 2, slide(Window(1, stride=2)), 8)


def test_a_union_of_places_that_drift_apart_sees_the_axis_whole() -> None:
    assert united([IMAGE, strided(IMAGE)], SHAPE) == blurred(IMAGE, [0])


def test_a_union_of_axes_along_different_dims_sees_everything() -> None:
    square = image((1, 1, 8, 8))
    turned = permuted(square, (0, 1, 3, 2))
    assert united([square, turned], (1, 1, 8, 8)) == everything((1, 1, 8, 8))


def test_one_place_shown_everywhere_sees_its_axis_whole() -> None:
    column = image((2, 6, 8, 1))
    assert united([column], SHAPE).dims == (*IMAGE.dims[:3], (Piece(9),))
    assert united([column], SHAPE).sights == (IMAGE.sights[0], None)
    assert united([IMAGE], (5, *SHAPE)).dims == ((Piece(5),), *IMAGE.dims)
