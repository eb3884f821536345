"""`convlens study`, as a user meets it."""

from dataclasses import replace

import pytest

from convlens.course import catalog, values
from convlens.course.catalog import STUDIES
from convlens.course.study import Finding
from tests.cli.conftest import Convlens


@pytest.mark.parametrize("arguments", [("study",), ("study", "list")])
def test_all_studies_are_listed(convlens: Convlens, arguments: tuple[str, ...]) -> None:
    result = convlens(*arguments)
    assert result.code == 0
    for name in STUDIES:
        assert name in result.out
    listed = convlens(*arguments, "--json").json["studies"]
    assert [study["name"] for study in listed] == list(STUDIES)
    assert listed[0]["section"] == "7.1"


def test_a_study_shows_question_answer_and_numbers(convlens: Convlens) -> None:
    result = convlens("study", "run", "8.2-layers")
    assert result.code == 0
    assert "11 layers with weights in 8 pieces" in result.out
    assert "(wrong)" in result.out
    assert "next: convlens study list" in result.err


def test_a_study_is_json_when_asked(convlens: Convlens) -> None:
    content = convlens("study", "run", "7.4-blocks", "--json").json
    assert content["verdict"] == "wrong"
    assert content["finding"]["holds"] is True
    assert content["finding"]["numbers"]["MACs, 32 blocks: times fewer"] == 32


def test_a_finding_that_does_not_hold_ends_with_1(
    convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(
        STUDIES["7.3-shape"],
        experiment=lambda _: Finding(numbers={"rows": 3}, text="3 rows", holds=False),
    )
    monkeypatch.setattr(catalog, "STUDIES", {"7.3-shape": wrong})
    result = convlens("study", "run", "7.3-shape")
    assert result.code == 1
    assert "does NOT agree" in result.err


def test_an_unknown_study_gives_the_nearest(convlens: Convlens) -> None:
    result = convlens("study", "run", "7.4-block")
    assert result.code == 2
    assert "did you mean '7.4-blocks'?" in result.err


def test_the_notebooks_values_are_shown_beside_ours(convlens: Convlens) -> None:
    result = convlens("study", "values")
    assert result.code == 0
    assert "24 of 24 values agree" in result.err
    assert "[[19 25] [37 43]]" in result.out
    assert "DIFFERS" not in result.out
    content = convlens("study", "values", "--json").json
    assert content["agreed"] == len(content["values"]) == len(values.VALUES)


def test_a_value_that_differs_ends_with_1(
    convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(values.VALUES[0], printed=[[19, 25], [37, 44]])
    monkeypatch.setattr(values, "VALUES", (wrong, *values.VALUES[1:3]))
    result = convlens("study", "values")
    assert result.code == 1
    assert "DIFFERS" in result.out
    assert "2 of 3 values agree" in result.err
