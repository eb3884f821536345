"""Numbers are written as a reader expects them."""

from convlens.course.study import Finding
from convlens.course.wording import nested, numbers


def test_nested_numbers_are_one_line() -> None:
    assert nested([19.0, 25]) == "[19 25]"
    assert nested([[1, 2], [1, 2]]) == "[[1 2] [1 2]]"
    assert nested([[0] * 5] * 8) == "8 x [0 0 0 0 0]"


def test_all_numbers_of_a_finding_keep_their_order() -> None:
    finding = Finding(numbers={"b": 1_000_000, "a": 0.5, "c": "2x2"}, text="", claims=())
    assert list(numbers(finding).items()) == [("b", "1,000,000"), ("a", "0.5"), ("c", "2x2")]
