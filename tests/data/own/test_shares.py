"""What is tested on is a share of each class, and hardly moves when pictures come or go."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import DataError
from convlens.data.own.listing import Item, Listing, Part
from convlens.data.own.shares import with_parts


def listing(counts: dict[str, int], part: Part | None = None) -> Listing:
    items = [
        Item(f"{label}/{number}.png", label, part, 1, 1)
        for label, count in counts.items()
        for number in range(count)
    ]
    return Listing(Path("photos"), Path("photos"), tuple(items), tuple(counts), ())


def on_test(found: Listing) -> set[str]:
    return {item.name for item in found.items if item.part == "test"}


@given(st.lists(st.integers(2, 60), min_size=2, max_size=4), st.floats(0, 0.99), st.integers(0))
def test_each_class_is_in_both_parts_by_its_share(
    counts: list[int], share: float, seed: int
) -> None:
    whole = listing({f"class {number}": count for number, count in enumerate(counts)})
    found = with_parts(whole, share, seed)
    assert sorted(item.name for item in found.items) == sorted(item.name for item in whole.items)
    for label, count in zip(whole.class_names, counts, strict=True):
        mine = [item.part for item in found.items if item.label == label]
        assert mine.count("test") == min(max(1, round(share * count)), count - 1)
        assert mine.count("train") == count - mine.count("test")


def test_another_seed_tests_on_others() -> None:
    whole = listing({"a": 50, "b": 50})
    assert on_test(with_parts(whole, 0.2, 0)) == on_test(with_parts(whole, 0.2, 0))
    assert on_test(with_parts(whole, 0.2, 0)) != on_test(with_parts(whole, 0.2, 1))


@given(st.integers(20, 200))
def test_one_picture_more_moves_at_most_one_out_and_one_in(count: int) -> None:
    before = on_test(with_parts(listing({"a": count, "b": 10}), 0.2, 0))
    after = on_test(with_parts(listing({"a": count + 1, "b": 10}), 0.2, 0))
    assert len(before - after) <= 1
    assert len(after - before) <= 1


def test_parts_that_were_said_stay_in_an_order_by_chance() -> None:
    whole = listing({"a": 30, "b": 30}, "train")
    found = with_parts(whole, 0.2, 0)
    assert {item.part for item in found.items} == {"train"}
    assert sorted(found.items, key=lambda item: item.name) == sorted(
        whole.items, key=lambda item: item.name
    )
    assert found.items != whole.items


def test_a_class_of_one_picture_cannot_be_in_both_parts() -> None:
    with pytest.raises(DataError, match="class 'b' has one picture"):
        with_parts(listing({"a": 5, "b": 1}), 0.2, 0)
