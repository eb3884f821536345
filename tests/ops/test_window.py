from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import ShapeError
from convlens.ops.window import Window
from tests.strategies import placed_windows, windows


@given(windows, windows, windows)
def test_then_is_associative(a: Window, b: Window, c: Window) -> None:
    assert a.then(b).then(c) == a.then(b.then(c))


@given(windows)
def test_a_single_pixel_is_the_unit_of_then(window: Window) -> None:
    plain = Window(window.extent, window.stride, window.padding)  # then writes the holes out
    assert Window(1).then(window) == plain == window.then(Window(1))


@given(placed_windows(), windows, st.integers(0, 200))
def test_two_windows_are_one_window(placed: tuple[Window, int], b: Window, more: int) -> None:
    a, least = placed
    joint = a.then(b)
    size = max(least, joint.extent - 2 * joint.padding) + more  # so that both fit
    assert a.then(b).output_size(size) == b.output_size(a.output_size(size))


@given(windows, windows, st.integers(0, 20))
def test_the_taps_of_two_windows_span_the_taps_of_the_one(a: Window, b: Window, i: int) -> None:
    reached = [tap for middle in b.taps(i) for tap in a.taps(middle)]
    joint = a.then(b).taps(i)
    assert (min(reached), max(reached)) == (joint[0], joint[-1])


@given(placed_windows())
def test_the_output_is_as_long_as_torchs(placed: tuple[Window, int]) -> None:
    window, size = placed
    y = torch.nn.functional.conv1d(
        torch.ones(1, 1, size),
        torch.ones(1, 1, window.kernel),
        stride=window.stride,
        padding=window.padding,
        dilation=window.dilation,
    )
    assert window.output_size(size) == y.shape[2]


@given(placed_windows())
def test_the_taps_are_the_pixels_an_output_depends_on(placed: tuple[Window, int]) -> None:
    window, size = placed
    x = torch.zeros(1, 1, size, requires_grad=True)
    y = torch.nn.functional.conv1d(
        x,
        torch.ones(1, 1, window.kernel),
        stride=window.stride,
        padding=window.padding,
        dilation=window.dilation,
    )
    for index in {0, y.shape[2] - 1}:
        (slope,) = torch.autograd.grad(y[0, 0, index], x, retain_graph=True)
        inside = [tap for tap in window.taps(index) if 0 <= tap < size]
        assert slope[0, 0].nonzero().flatten().tolist() == inside


@given(placed_windows())
def test_every_tap_lies_in_the_padded_input_and_one_more_window_does_not(
    placed: tuple[Window, int],
) -> None:
    window, size = placed
    last = window.output_size(size) - 1
    assert window.taps(0)[0] == -window.padding
    assert window.taps(last)[-1] < size + window.padding
    assert window.taps(last + 1)[-1] >= size + window.padding


@given(windows)
def test_taps_and_extent_agree(window: Window) -> None:
    taps = window.taps(3)
    assert len(taps) == window.kernel
    assert taps[-1] - taps[0] + 1 == window.extent


@given(st.integers(1, 20), st.integers(0, 4), st.integers(1, 9))
def test_a_window_larger_than_the_padded_input_is_refused(
    size: int, padding: int, too_much: int
) -> None:
    window = Window(size + 2 * padding + too_much, padding=padding)
    with pytest.raises(ShapeError, match=f"spans {window.extent} but sees only {size}"):
        window.output_size(size)


@pytest.mark.parametrize(
    "settings", [{"kernel": 0}, {"kernel": 3, "stride": 0}, {"kernel": 3, "padding": -1}]
)
def test_settings_out_of_range_are_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ShapeError, match="must be >= 1"):
        Window(**settings)


@st.composite
def windows_abreast(draw: st.DrawFn, count: int = 2) -> tuple[Window, ...]:
    """Windows of one stride."""
    stride = draw(st.integers(1, 4))
    return tuple(replace(draw(windows), stride=stride) for _ in range(count))


@given(windows_abreast(), st.integers(0, 20))
def test_a_union_covers_both_and_nothing_less_does(pair: tuple[Window, ...], i: int) -> None:
    a, b = pair
    first, *_, last = sorted([a.taps(i)[0], a.taps(i)[-1], b.taps(i)[0], b.taps(i)[-1]])
    union = a.union(b).taps(i)
    assert (union[0], union[-1], union.step) == (first, last, 1)


@given(windows_abreast(3))
def test_a_union_is_of_a_set(windows: tuple[Window, ...]) -> None:
    a, b, c = windows
    assert a.union(b) == b.union(a)
    assert a.union(b).union(c) == a.union(b.union(c))
    assert a.union(b).union(b) == a.union(b)
    assert a.union(a) == Window(a.extent, a.stride, a.padding)  # union writes the holes out


@given(windows_abreast(), windows)
def test_what_follows_a_union_covers_what_follows_each(
    pair: tuple[Window, ...], after: Window
) -> None:
    a, b = pair
    assert a.union(b).then(after) == a.then(after).union(b.then(after))
    assert after.then(a.union(b)) == after.then(a).union(after.then(b))


def test_windows_that_drift_apart_have_no_union() -> None:
    with pytest.raises(ShapeError, match="their strides differ"):
        Window(3, stride=2).union(Window(3))


def test_a_stack_of_seven_threes_sees_fifteen() -> None:
    window = Window(1)
    for _ in range(7):
        window = window.then(Window(3, padding=1))
    assert window == Window(15, padding=7)
