"""Views make their steps one by one, as many as they say."""

from typing import Any

import pytest

from convlens.cli.commands.conv.question import Options
from convlens.cli.commands.conv.views import View, view_of
from convlens.core.errors import ConfigError, ShapeError

BOOK: dict[str, Any] = {
    "input": "0 1 2; 3 4 5; 6 7 8", "kernel": "0 1; 2 3", "bias": None, "stride": "1",
    "padding": "0", "dilation": "1", "groups": 1, "padding_mode": "zeros",
    "true_convolution": False, "pool": None, "size": "2", "ceil_mode": False,
    "count_include_pad": True,
}  # fmt: skip
ONE: dict[str, Any] = {"backward": False, "grad": None, "at": None, "entry": "0,0", "walk": False}


def view(options: dict[str, Any], asked: dict[str, Any]) -> View:
    """The view of these options, those left out as usual."""
    everything: dict[str, Any] = {**ONE, **asked}
    return view_of(Options(**{**BOOK, **options}), **everything)


@pytest.mark.parametrize(
    ("options", "asked", "count"),
    [
        ({}, {}, 1),
        ({}, {"walk": True}, 4),
        ({"pool": "max"}, {"walk": True}, 4),
        ({}, {"backward": True}, 2),
        ({}, {"backward": True, "walk": True}, 9 + 4),
        ({"pool": "avg"}, {"backward": True, "walk": True}, 9),
        ({"pool": "avg"}, {"backward": True}, 1),
        ({"pool": "avg", "stride": "2", "ceil_mode": True}, {"walk": True}, 4),
    ],
)
def test_a_view_has_the_steps_it_counts(
    options: dict[str, Any], asked: dict[str, Any], count: int
) -> None:
    found = view(options, asked)
    steps = tuple(found.steps)
    assert len(steps) == found.count == count
    assert all(found.lines(step) for step in steps)
    assert found.content(steps)["steps"] == steps


def test_the_head_names_what_is_not_usual() -> None:
    options = {"padding": "1", "stride": "1,2", "padding_mode": "circular"}
    head = view(options, {}).head
    assert str(head[0]) == (
        "cross-correlation: 3x3 by 2x2 gives 4x2, stride 1,2, padding 1, padding mode"
    )
    assert str(head[1]).strip() == "circular"


def test_a_wrong_place_is_refused_before_anything_is_shown() -> None:
    with pytest.raises(ShapeError, match="the output is 1x2x2"):
        view({}, {"at": "2,0"})
    with pytest.raises(ShapeError, match="the kernel is"):
        view({}, {"backward": True, "entry": "2,0"})
    with pytest.raises(ConfigError, match="goes with --backward"):
        view({}, {"grad": "1"})
