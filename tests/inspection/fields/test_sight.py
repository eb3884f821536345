import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import assume, given
from hypothesis import strategies as st
from torch import Tensor

from convlens.inspection.fields.sight import Move, Sight, mirror, shift, slide, span, spread
from convlens.ops.window import Window
from tests.strategies import windows

kernels = st.builds(Window, st.integers(1, 4), st.integers(1, 3), st.integers(0, 2))


def seen(sight: Sight, index: int) -> set[int]:
    """The pixels that are claimed to be seen."""
    taps = sight.window.taps(index)
    pixels = set(taps)
    if taps[0] < 0:
        pixels |= set(range(sight.mirrored))
    if taps[-1] >= sight.length:
        pixels |= set(range(sight.length - sight.mirrored, sight.length))
    return pixels


def places(field: Window, length: int) -> Tensor:
    """The pixels that each place of a tensor sees: [1, pixels, places]."""
    eye = torch.eye(length, dtype=torch.float64)[None]
    kernel = torch.ones(length, 1, field.kernel, dtype=torch.float64)
    return F.conv1d(eye, kernel, stride=field.stride, padding=field.padding, groups=length)


def assert_covers(field: Window, length: int, move: Move, after: Tensor) -> None:
    sight = move(Sight(field, length))
    assert sight is not None
    for index in range(after.shape[2]):
        assert set(after[0, :, index].nonzero().flatten().tolist()) <= seen(sight, index)


@given(kernels, st.integers(6, 20), windows)
def test_a_sliding_window_sees_what_its_taps_saw(
    field: Window, length: int, window: Window
) -> None:
    before = places(field, length)
    assume(before.shape[2] + 2 * window.padding >= window.extent)
    kernel = torch.ones(length, 1, window.kernel, dtype=torch.float64)
    after = F.conv1d(
        before,
        kernel,
        stride=window.stride,
        padding=window.padding,
        dilation=window.dilation,
        groups=length,
    )
    assert_covers(field, length, slide(window), after)


@given(st.integers(1, 4), st.integers(0, 2), st.integers(6, 20), kernels, st.integers(1, 2))
def test_a_transposed_window_sees_the_places_that_it_is_spread_from(
    size: int, padding: int, length: int, window: Window, pace: int
) -> None:
    field = Window(size, window.stride * pace, padding)
    before = places(field, length)
    kernel = torch.ones(length, 1, window.kernel, dtype=torch.float64)
    assume((before.shape[2] - 1) * window.stride - 2 * window.padding + window.kernel > 0)
    after = F.conv_transpose1d(
        before, kernel, groups=length, stride=window.stride, padding=window.padding
    )
    assert_covers(field, length, spread(window), after)


def test_a_transposed_window_at_an_uneven_pace_sees_everything() -> None:
    assert spread(Window(2, stride=2))(Sight(Window(3, stride=3), 9)) is None


@given(kernels, st.integers(6, 20), st.integers(-3, 3), st.integers(1, 3))
def test_a_crop_or_padding_starts_elsewhere(
    field: Window, length: int, first: int, step: int
) -> None:
    padded = F.pad(places(field, length), (max(-first, 0), 0))
    assert_covers(field, length, shift(first, step), padded[:, :, max(first, 0) :: step])


@given(kernels, st.integers(6, 20), st.integers(0, 3), st.integers(0, 3), kernels)
def test_mirrored_pixels_are_seen_through_windows_over_the_edge(
    field: Window, length: int, before: int, after: int, window: Window
) -> None:
    features = places(field, length)
    count = features.shape[2]
    assume(max(before, after) < count)
    for mode in ("reflect", "replicate"):
        padded = F.pad(features, (before, after), mode=mode)
        assert_covers(field, length, mirror(before, after, count), padded)
        sight = mirror(before, after, count)(Sight(field, length))
        assert sight is not None
        assume(padded.shape[2] + 2 * window.padding >= window.kernel)
        kernel = torch.ones(length, 1, window.kernel, dtype=torch.float64)
        slid_sight = slide(window)(sight)
        slid = F.conv1d(padded, kernel, groups=length, stride=window.stride, padding=window.padding)
        for index in range(slid.shape[2]):
            pixels = set(slid[0, :, index].nonzero().flatten().tolist())
            assert slid_sight is not None and pixels <= seen(slid_sight, index)


@pytest.mark.parametrize(("before", "after", "length"), [(-1, 0, 9), (0, -1, 9), (1, 1, 20)])
def test_padding_that_cannot_be_told_from_the_inside_sees_everything(
    before: int, after: int, length: int
) -> None:
    assert mirror(before, after, places=9)(Sight(Window(1), length)) is None


@given(st.integers(-9, 9), st.integers(1, 9), st.integers(1, 4))
def test_a_span_holds_what_it_is_asked_to_and_begins_at_the_edge_at_the_latest(
    start: int, size: int, jump: int
) -> None:
    taps = span(start, start + size, jump).taps(0)
    assert taps[0] == min(start, 0)
    assert taps[-1] == start + size - 1 or start + size < 1
