"""Every value that the notebook printed comes out again, and a wrong one would not."""

from typing import Any

import pytest

from convlens.course.values import VALUES, Value


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value.section} {value.what}")
def test_ours_is_what_the_notebook_printed(value: Value) -> None:
    checked = value.check()
    assert checked.agrees, checked.ours


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{value.section} {value.what}")
def test_no_value_would_pass_if_its_last_number_were_another(value: Value) -> None:
    def changed(numbers: Any) -> Any:
        if isinstance(numbers, list):
            return [*numbers[:-1], changed(numbers[-1])]
        return numbers + 1

    other = Value(
        section=value.section,
        what=value.what,
        printed=changed(value.printed),
        compute=value.compute,
        tolerance=value.tolerance,
    )
    assert not other.check().agrees


@pytest.mark.parametrize(
    ("ours", "printed", "tolerance", "agrees"),
    [
        ([1, 2], [1, 2], 0.0, True),
        ([1, 2], [1, 2, 3], 0.0, False),
        ([[1]], [1], 0.0, False),
        (1.05, 1.0, 0.1, True),
        (1.05, 1.0, 0.0, False),
        (float("nan"), 1.0, 9.0, False),
    ],
)
def test_agreement_is_of_shape_and_of_every_number(
    ours: Any, printed: Any, tolerance: float, agrees: bool
) -> None:
    value = Value(section="0", what="-", printed=printed, compute=lambda: ours, tolerance=tolerance)
    assert value.check().agrees is agrees


def test_only_what_was_drawn_at_random_has_a_tolerance() -> None:
    assert {value.what for value in VALUES if value.tolerance} == {
        "losses of the learned kernel (start drawn at random; solved back)",
        "the learned kernel",
    }
