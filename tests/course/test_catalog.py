"""Every study's finding agrees with its answer, whatever the chance, and judges the notebook."""

import math
import re
from dataclasses import replace

import pytest
import torch

from convlens.core.errors import UnknownName
from convlens.course.catalog import STUDIES
from convlens.course.study import Finding, Setup

TRAINING = {"7.6-modern", "7.6-noise", "8.6-blocks"}
COMPUTED = [name for name in STUDIES if name not in TRAINING]
WITHOUT_CHANCE = {"7.3-shape", "7.3-stride", "8.2-parameters", "8.2-layers"}
VERDICTS = {
    "7.1-audio": "right", "7.1-text": "right", "7.2-diagonal": "unreadable",
    "7.3-shape": "right", "7.3-stride": "partly", "7.4-order": "partly", "7.4-blocks": "wrong",
    "7.5-average": "right", "7.5-maximum": "partly", "7.6-modern": "right", "7.6-noise": "partly",
    "8.2-parameters": "partly", "8.2-layers": "wrong", "8.6-blocks": "partly",
}  # fmt: skip


def without_clock(finding: Finding) -> Finding:
    return replace(finding, seconds={})


def test_the_questions_are_in_the_order_of_the_book() -> None:
    assert list(STUDIES) == list(VERDICTS)
    assert [f"{study.section}-{study.exercise}" for study in STUDIES.values()] == [
        "7.1-2a", "7.1-4", "7.2-1", "7.3-1", "7.3-2", "7.4-4", "7.4-7a", "7.5-1", "7.5-2",
        "7.6-1", "7.6-5", "8.2-1a", "8.2-2", "8.6-1",
    ]  # fmt: skip


@pytest.mark.parametrize("name", sorted(TRAINING))
def test_what_training_shows_is_what_the_answer_says(name: str) -> None:
    finding = STUDIES[name].run(Setup())
    assert finding.holds, finding
    assert finding.verdict == VERDICTS[name]
    assert re.search(r"\d epochs on [\d,]+ training images", finding.ran)


@pytest.mark.parametrize("name", COMPUTED)
@pytest.mark.parametrize("seed", [0, 1])
def test_what_comes_out_is_what_the_answer_says(name: str, seed: int) -> None:
    before = torch.get_rng_state()
    finding = STUDIES[name].run(Setup(seed=seed))
    assert finding.holds, finding
    assert finding.verdict == VERDICTS[name]
    assert finding.text and not finding.ran
    assert all(isinstance(n, str) or math.isfinite(n) for n in finding.numbers.values())
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", sorted(WITHOUT_CHANCE))
def test_what_has_no_chance_in_it_gives_the_same_again(name: str) -> None:
    first, again = (STUDIES[name].run(Setup(seed=seed)) for seed in (0, 1))
    assert first == again


@pytest.mark.parametrize("name", ["7.1-audio", "7.4-order", "7.4-blocks"])
def test_a_seed_repeats_what_is_drawn(name: str) -> None:
    first, again = (without_clock(STUDIES[name].run(Setup(seed=3))) for _ in range(2))
    assert first == again


def test_another_seed_draws_another_sound() -> None:
    one, other = (STUDIES["7.1-audio"].run(Setup(seed=seed)) for seed in (3, 4))
    assert one != other


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_what_it_asks_and_what_it_answers(name: str) -> None:
    study = STUDIES[name]
    assert study.name == name
    assert re.fullmatch(rf"{re.escape(study.section)}-[a-z]+", name)
    assert study.question.endswith("?") and len(study.answer) > 20
    assert study.notebook


def test_an_unknown_study_gives_the_nearest() -> None:
    with pytest.raises(UnknownName, match=r"did you mean '7\.4-blocks'"):
        STUDIES["7.4-block"]
