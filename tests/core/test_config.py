"""Settings are strict: what is not meant is refused by its dotted key."""

from dataclasses import dataclass
from datetime import date
from math import inf, nan
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import NonNegativeFloat, PositiveInt

from convlens.core.config import check, override, parse, read_toml, to_table, write_toml
from convlens.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Cake:
    """A thing with a setting of every kind that settings have."""

    eggs: PositiveInt = 3
    sugar: NonNegativeFloat = 0.5
    tin: Literal["round", "square"] = "round"
    iced: bool = False
    layers: tuple[float, ...] = (1.0,)
    message: str | None = None


finite = st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
cakes = st.builds(
    Cake,
    eggs=st.integers(1, 2**63 - 1),
    sugar=st.floats(0, 1e308),
    tin=st.sampled_from(["round", "square"]),
    iced=st.booleans(),
    layers=st.lists(finite, max_size=3).map(tuple),
    message=st.none() | texts,
)
values = st.integers(-(2**63), 2**63 - 1) | finite | st.booleans() | texts
tables = st.recursive(
    st.dictionaries(texts, values, max_size=3),
    lambda inner: st.dictionaries(texts, inner | values | st.lists(values, max_size=3), max_size=3),
    max_leaves=8,
)


@given(cakes)
def test_settings_survive_becoming_a_table_and_toml(cake: Cake) -> None:
    assert parse(Cake, to_table(cake)) == cake
    assert check(cake) == cake


@given(tables)
def test_toml_text_gives_the_same_table_back(
    tmp_path_factory: pytest.TempPathFactory, table: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("toml") / "table.toml"
    path.write_bytes(write_toml(table).encode())
    assert read_toml(path) == table


def test_what_is_left_out_is_the_default() -> None:
    assert parse(Cake, {}) == Cake()
    assert parse(Cake, {"eggs": 5}) == Cake(eggs=5)


def test_whole_numbers_are_numbers_and_lists_are_tuples() -> None:
    assert parse(Cake, {"sugar": 1, "layers": [1, 2.5]}) == Cake(sugar=1.0, layers=(1.0, 2.5))


def test_an_unknown_setting_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(ConfigError) as error:
        parse(Cake, {"egg": 3}, section="cake")
    assert str(error.value) == "cake.egg: unknown setting; did you mean 'eggs'?"


REFUSED: list[tuple[str, object, str]] = [
    ("eggs", "3", "cake.eggs: input should be a valid integer, not '3'"),
    ("eggs", 3.0, "cake.eggs: input should be a valid integer, not 3.0"),
    ("eggs", True, "cake.eggs: input should be a valid integer, not True"),
    ("eggs", 0, "cake.eggs: input should be greater than 0, not 0"),
    ("sugar", "much", "cake.sugar: input should be a valid number, not 'much'"),
    ("sugar", -0.5, "cake.sugar: input should be greater than or equal to 0, not -0.5"),
    ("sugar", inf, "cake.sugar: input should be a finite number"),
    ("sugar", nan, "cake.sugar: input should be a finite number"),
    ("sugar", 10**400, "cake.sugar: input should be a finite number"),
    ("sugar", None, "cake.sugar: input should be a valid number, not None"),
    ("layers", [1.0, inf], "cake.layers.1: input should be a finite number"),
    ("layers", [1.0, "2"], "cake.layers.1: input should be a valid number, not '2'"),
    ("layers", 1.0, "cake.layers: input should be a valid array, not 1.0"),
    ("iced", 1, "cake.iced: input should be a valid boolean, not 1"),
    ("iced", "true", "cake.iced: input should be a valid boolean, not 'true'"),
    ("message", 3, "cake.message: input should be a valid string, not 3"),
    ("message", date(2020, 1, 2), "cake.message: a date or a time is no setting"),
    ("message", {"a": date(2020, 1, 2)}, "cake.message.a: a date or a time is no setting"),
    ("tin", "ovall", "cake.tin: input should be 'round' or 'square', not 'ovall'"),
    (
        "tin",
        "sqare",
        "cake.tin: input should be 'round' or 'square', not 'sqare'; did you mean 'square'?",
    ),
]


@pytest.mark.parametrize(("key", "value", "message"), REFUSED)
def test_a_wrong_value_is_refused_in_one_line(key: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        parse(Cake, {key: value}, section="cake")
    assert str(error.value) == message


def test_settings_made_in_python_are_checked_too() -> None:
    with pytest.raises(ConfigError, match=r"^cake\.eggs: input should be greater than 0"):
        check(Cake(eggs=-1), section="cake")


@given(
    st.dictionaries(
        st.sampled_from(["a.x", "a.y", "b.x"]), st.lists(st.integers(), min_size=1, max_size=3)
    )
)
def test_the_last_assignment_wins(assigned: dict[str, list[int]]) -> None:
    table = {"a": {"x": "file", "kept": 1}}
    result = override(table, [f"{key}={v}" for key, some in assigned.items() for v in some])
    for key, some in assigned.items():
        section, _, name = key.partition(".")
        assert result[section][name] == some[-1]
    assert result["a"]["kept"] == 1
    assert table == {"a": {"x": "file", "kept": 1}}, "the table given was changed"


@given(values)
def test_an_assigned_value_is_toml(value: object) -> None:
    text = write_toml({"value": value}).partition("=")[2].strip()
    assert override({}, [f"a.b={text}"]) == {"a": {"b": value}}


@pytest.mark.parametrize("word", ["relu", "cuda:1", "/data/here", "fashion-mnist", "a=b", ""])
def test_a_bare_word_is_text(word: str) -> None:
    assert override({}, [f"a.b={word}"]) == {"a": {"b": word}}


@pytest.mark.parametrize("text", ["9" * 5_000, "[" * 5_000])
def test_what_toml_cannot_hold_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(f"value = {text}")
    with pytest.raises(ConfigError, match=r"a\.toml: not TOML"):
        read_toml(path)
    assert override({}, [f"a.b={text}"]) == {"a": {"b": text}}


@pytest.mark.parametrize("assignment", ["", "lr", "lr=1", ".lr=1", "train.=1", "a.b.c=1", "a.b"])
def test_an_assignment_needs_a_section_a_key_and_a_value(assignment: str) -> None:
    with pytest.raises(ConfigError, match="is not a setting\nwrite section"):
        override({}, [assignment])


def test_a_setting_cannot_be_put_into_what_is_no_section() -> None:
    with pytest.raises(ConfigError, match=r"^train: not a section, so 'train.lr' cannot be set"):
        override({"train": 3}, ["train.lr=1"])


def test_a_file_that_cannot_be_read_as_toml_says_why(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: no such file"):
        read_toml(tmp_path / "missing.toml")
    with pytest.raises(ConfigError, match="is a directory"):
        read_toml(tmp_path)
    path = tmp_path / "a.toml"
    path.write_bytes(b"a = '\xff'")
    with pytest.raises(ConfigError, match=r"a\.toml: not UTF-8 text \(byte 5\)"):
        read_toml(path)
    path.write_text("a = 1\nb = = 2")
    with pytest.raises(ConfigError, match=r"a\.toml: not TOML: .*line 2"):
        read_toml(path)
