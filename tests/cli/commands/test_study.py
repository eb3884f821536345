"""`convlens study`, as a user meets it."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from convlens.course import catalog, values
from convlens.course.catalog import STUDIES
from convlens.course.studies.padding import aliasing
from convlens.course.study import Finding, Setup
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


def test_a_study_is_told_from_question_to_verdict(convlens: Convlens) -> None:
    result = convlens("study", "run", "8.2-layers")
    study = STUDIES["8.2-layers"]
    places = [
        result.out.index(text)
        for text in (
            study.question,
            study.notebook,
            "layers with weights",
            "the linear layers are left out of the display",
            "11 layers with weights (8 convolutions, 3 linear) are shown as 8 parts",
            study.answer,
            "the notebook was  wrong",
        )
    ]
    assert result.code == 0
    assert places == sorted(places)
    assert result.err == "next: convlens study run 8.6-blocks\n"


def test_a_study_as_json_has_claims_and_verdict(convlens: Convlens) -> None:
    content = convlens("study", "run", "7.5-maximum", "--seed", "3", "--json").json
    finding = STUDIES["7.5-maximum"].run(Setup(seed=3))
    assert content["numbers"] == finding.numbers
    assert (content["holds"], content["verdict"]) == (True, "partly")
    assert [claim["part"] for claim in content["claims"]] == [c.part for c in finding.claims]
    assert all(claim["true"] and claim["as_expected"] for claim in content["claims"])


def test_a_finding_that_does_not_hold_ends_with_1(
    convlens: Convlens, monkeypatch: pytest.MonkeyPatch
) -> None:
    bent = replace(STUDIES["7.3-stride"], experiment=lambda setup: aliasing(setup, tone=500))
    monkeypatch.setattr(catalog, "STUDIES", {"7.3-stride": bent})
    result = convlens("study", "run", "7.3-stride")
    assert result.code == 1
    assert "NOT as the answer has it" in result.out
    assert "does NOT agree" in result.err
    assert convlens("study", "run", "7.3-stride", "--json").json["holds"] is False


def test_seed_full_and_folder_reach_the_experiment(
    convlens: Convlens, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    seen: list[Setup] = []

    def look(setup: Setup) -> Finding:
        seen.append(setup)
        return Finding(numbers={"n": 1}, text="", claims=(), ran="nothing", seconds={"all": 2.0})

    bent = replace(STUDIES["7.6-noise"], experiment=look)
    monkeypatch.setattr(catalog, "STUDIES", {"7.6-noise": bent})
    result = convlens("study", "run", "7.6-noise", "--seed", "3", "--full", "--folder", tmp_path)
    assert seen == [Setup(seed=3, quick=False, folder=tmp_path)]
    assert re.search(r"ran +nothing", result.out)
    assert re.search(r"seconds, all +2", result.out)


def test_a_folder_without_the_data_ends_with_3(convlens: Convlens, tmp_path: Path) -> None:
    assert convlens("study", "run", "7.6-modern", "--folder", tmp_path).code == 3


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
