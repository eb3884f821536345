"""Tables of named things fail in one way: with the nearest name."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import UnknownName
from convlens.core.names import Table, natural_key, nearest, suggestion

words = st.text(min_size=1, max_size=12)


@given(st.lists(words, unique_by=str.lower, min_size=1))
def test_a_known_name_is_nearest_to_itself(known: list[str]) -> None:
    for name in known:
        found = nearest(name, known)
        assert found is not None
        assert found.lower() == name.lower()


def test_capitals_do_not_hide_the_nearest_name() -> None:
    assert nearest("LENET", ["lenet", "vgg"]) == "lenet"
    assert nearest("lenet", ["LeNet", "VGG"]) == "LeNet"


@given(words, st.lists(words))
def test_the_nearest_name_is_a_known_one_or_none(name: str, known: list[str]) -> None:
    assert nearest(name, known) in {*known, None}


def test_a_suggestion_names_the_nearest_else_all_there_are() -> None:
    assert suggestion("vg11", ["vgg11", "lenet"]) == "did you mean 'vgg11'?"
    assert suggestion("zzz", ["vgg11", "vgg2"]) == "there is: vgg2, vgg11"
    assert suggestion("zzz", []) == "there is none yet"


@given(st.from_regex(r"[a-z]{1,4}", fullmatch=True), st.lists(st.integers(0, 10**6)))
def test_natural_order_counts(stem: str, numbers: list[int]) -> None:
    names = [f"{stem}-{number}" for number in numbers]
    assert sorted(names, key=natural_key) == [f"{stem}-{n}" for n in sorted(numbers)]


@given(st.lists(st.text(alphabet="ab1²三\N{DEVANAGARI DIGIT SEVEN}-", max_size=6)))
def test_any_names_can_be_put_in_natural_order(names: list[str]) -> None:
    assert Counter(sorted(names, key=natural_key)) == Counter(names)


def test_a_table_lists_its_names_in_natural_order() -> None:
    table = Table("model", ("vgg11", 1), ("vgg2", 2))
    assert list(table) == ["vgg2", "vgg11"]
    assert len(table) == 2
    assert table["vgg2"] == 2
    assert "vgg2" in table
    assert "vgg3" not in table


def test_an_unknown_name_is_an_error_with_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match=r"^no model 'vg11'; did you mean 'vgg11'\?$"):
        Table("model", ("vgg11", 1), ("vgg2", 2))["vg11"]


def test_a_doubled_name_is_refused() -> None:
    with pytest.raises(AssertionError, match="twice"):
        Table("model", ("vgg11", 1), ("vgg11", 2))


@given(st.lists(words, unique=True))
def test_a_table_keeps_the_order_it_is_given_if_asked(names: list[str]) -> None:
    table = Table("word", *((name, name) for name in names), as_given=True)
    assert list(table) == names
