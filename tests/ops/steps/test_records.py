"""Records are what JSON can hold."""

import json
import math

import pytest

from convlens.ops.steps.records import GradientStep, Pixel, Share, plain

INSIDE = Pixel(0, 1, 2, (1, 2), math.nan)
BORDER = Pixel(0, -1, 2, (1, 2), 5.0)


def test_a_pixel_outside_the_input_is_padding_even_if_it_copies_one() -> None:
    assert BORDER.padding
    assert not INSIDE.padding
    assert Pixel(0, 9, 9, None, 0.0).padding


def test_records_survive_strict_json() -> None:
    step = GradientStep("x", (0, 1, 2), (Share((0, 0, 0), -math.inf, INSIDE, None, 1.0, 2.0),), 2.0)
    found = json.loads(json.dumps(plain({"step": step, "border": BORDER}), allow_nan=False))
    assert found["step"]["at"] == [0, 1, 2]
    assert found["step"]["shares"][0]["slope"] == "-Infinity"
    assert found["step"]["shares"][0]["pixel"]["value"] == "NaN"
    assert found["border"] == {
        "channel": 0, "row": -1, "column": 2, "source": [1, 2], "value": 5.0, "padding": True,
    }  # fmt: skip


@pytest.mark.parametrize("content", [3, 2.5, "text", None, True])
def test_plain_things_stay_as_they_are(content: object) -> None:
    assert plain(content) is content
