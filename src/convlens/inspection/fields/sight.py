"""Sight: what the places of a tensor see along one axis of an image, and how it moves.

A move is never smaller than the truth. What a window sees past the edge is padding; but padding
that mirrors or repeats shows pixels, so a sight also tells how far from the edge these lie.

Source: Araujo, Norris and Sim (2019), https://distill.pub/2019/computing-receptive-fields;
Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285, chapter 4 (transposed convolution).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import final

from convlens.ops.window import Window


@final
@dataclass(frozen=True, slots=True)
class Sight:
    """Place i sees the pixels of `window.taps(i)`, holes included."""

    window: Window
    length: int  # of the axis, in pixels
    mirrored: int = 0  # pixels from each edge that a window over this edge sees as well


Move = Callable[[Sight], Sight | None]  # None: each place sees the whole axis


def span(start: int, stop: int, jump: int) -> Window:
    """The window in which output 0 sees from `start` to before `stop`.

    A window cannot begin inside the image, so then it begins at its edge.

    >>> span(-1, 2, 4), span(1, 3, 4)
    (Window(kernel=3, stride=4, padding=1, dilation=1), Window(kernel=3, stride=4, padding=0, \
dilation=1))
    """
    first = min(start, 0)
    return Window(stop - first, jump, -first)


def slide(window: Window) -> Move:
    """The move of a convolution or a pooling: output i sees what the taps of `window` saw.

    >>> slide(Window(3, stride=2))(Sight(Window(5, padding=2), 28))
    Sight(window=Window(kernel=7, stride=2, padding=2, dilation=1), length=28, mirrored=0)
    """
    return lambda sight: replace(sight, window=sight.window.then(window))


def spread(window: Window) -> Move:
    """The move of a transposed convolution: an output sees the places whose taps it is.

    None if these do not come at an even pace in pixels: if places lie p pixels apart, its
    outputs would lie p / stride apart.

    >>> spread(Window(2, stride=2))(Sight(Window(6, stride=4), 28))
    Sight(window=Window(kernel=8, stride=2, padding=2, dilation=1), length=28, mirrored=0)
    """

    def move(sight: Sight) -> Sight | None:
        field = sight.window
        if field.stride % window.stride:
            return None
        jump = field.stride // window.stride
        # Place i reaches output o if o + padding - extent < i * stride <= o + padding.
        start = (window.padding - window.extent + 1) * jump - field.padding
        stop = window.padding * jump - field.padding + field.extent
        return replace(sight, window=span(start, stop, jump))

    return move


def shift(first: int, step: int = 1) -> Move:
    """The move of a crop, or with `first` below 0 of padding: output i is place first + i step.

    >>> shift(-2)(Sight(Window(3, stride=4, padding=1), 28)).window
    Window(kernel=3, stride=4, padding=9, dilation=1)
    """

    def move(sight: Sight) -> Sight:
        field = sight.window
        start = first * field.stride - field.padding
        return replace(sight, window=span(start, start + field.extent, field.stride * step))

    return move


def mirror(before: int, after: int, places: int) -> Move:
    """The move of padding that repeats `places` places near the edge, each at most as far inside.

    >>> mirror(1, 1, 28)(Sight(Window(1), 28))
    Sight(window=Window(kernel=1, stride=1, padding=1, dilation=1), length=28, mirrored=2)
    """

    def move(sight: Sight) -> Sight | None:
        field, shifted = sight.window, shift(-before)(sight)
        over = field.taps(places)[-1] >= sight.length  # else padding looks like the inside
        if min(before, after) < 0 or shifted is None or (after and not over):
            return None
        head = field.taps(before)[-1] + 1 if before else 0
        tail = sight.length - field.taps(places - 1 - after)[0] if after else 0
        return replace(shifted, mirrored=max(sight.mirrored, head, tail))

    return move
