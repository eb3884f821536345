"""Every study's finding agrees with its answer, whatever the chance."""

import math
import re

import pytest
import torch

from convlens.core.errors import UnknownName
from convlens.course.catalog import STUDIES
from convlens.course.study import Setup

WITHOUT_CHANCE = {"7.1-text", "7.3-shape", "7.3-stride", "8.2-parameters", "8.2-layers"}

TRAINING = {"7.6-modern", "7.6-noise"}  # half a minute each: once, below


@pytest.mark.parametrize("name", sorted(TRAINING))
def test_what_training_shows_is_what_the_answer_says(name: str) -> None:
    finding = STUDIES[name].run(Setup())
    assert finding.holds, finding


@pytest.mark.parametrize("name", [name for name in STUDIES if name not in TRAINING])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_comes_out_is_what_the_answer_says(name: str, seed: int) -> None:
    finding = STUDIES[name].run(Setup(seed=seed))
    assert finding.holds, finding
    assert finding.numbers and finding.text
    for number in finding.numbers.values():
        assert isinstance(number, str) or math.isfinite(number)


@pytest.mark.parametrize("name", sorted(WITHOUT_CHANCE))
def test_what_has_no_chance_in_it_gives_the_same_again(name: str) -> None:
    first, again = (STUDIES[name].run(Setup(seed=seed)) for seed in (0, 1))
    assert first == again


def test_a_seed_repeats_what_is_drawn_and_another_does_not() -> None:
    first, again, other = (STUDIES["7.1-audio"].run(Setup(seed=seed)) for seed in (3, 3, 4))
    assert first == again != other


@pytest.mark.parametrize("name", [name for name in STUDIES if name not in TRAINING])
def test_a_study_leaves_chance_as_it_was(name: str) -> None:
    before = torch.get_rng_state()
    STUDIES[name].run(Setup(seed=3))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_what_it_asks_and_what_it_answers(name: str) -> None:
    study = STUDIES[name]
    assert re.fullmatch(r"[78]\.\d-[a-z]+", name)
    assert study.question.endswith("?") and len(study.answer) > 20
    assert study.notebook


def test_the_two_answers_that_were_wrong_are_known() -> None:
    assert {name for name, study in STUDIES.items() if study.verdict == "wrong"} == {
        "7.4-blocks",
        "8.2-layers",
    }


def test_an_unknown_study_gives_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"did you mean '7\.4-blocks'"):
        STUDIES["7.4-block"]
