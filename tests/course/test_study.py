"""Findings: what follows from their claims alone; and studies: seeded, leaving chance alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.course.study import Claim, Finding, Part, Setup, Study

PARTS = st.sampled_from(["said", "missed", "mistaken", "besides"])
CLAIMS = st.lists(st.builds(Claim, PARTS, st.just("it rains"), st.booleans()), max_size=6)


def finding(*claims: Claim, **numbers: float) -> Finding:
    return Finding(numbers=numbers, text="", claims=claims)


@given(CLAIMS)
def test_a_finding_holds_if_only_mistaken_claims_are_false(claims: list[Claim]) -> None:
    wanted = all(claim.true != (claim.part == "mistaken") for claim in claims)
    assert finding(*claims).holds == wanted


@given(CLAIMS)
def test_what_is_told_besides_changes_no_verdict(claims: list[Claim]) -> None:
    kept = [claim for claim in claims if claim.part != "besides"]
    assert finding(*claims).verdict == finding(*kept).verdict


@pytest.mark.parametrize(
    ("claims", "verdict"),
    [
        ([("said", True), ("besides", True)], "right"),
        ([("said", True), ("missed", True)], "partly"),
        ([("said", True), ("mistaken", False)], "partly"),
        ([("said", False)], "wrong"),
        ([("mistaken", False), ("missed", True)], "wrong"),
        ([("mistaken", True)], "right"),
        ([("missed", True)], "unreadable"),
    ],
)
def test_the_verdict_follows_from_what_the_notebook_claimed(
    claims: list[tuple[Part, bool]], verdict: str
) -> None:
    assert finding(*(Claim(part, "", true) for part, true in claims)).verdict == verdict


def test_a_setup_is_quick_by_default() -> None:
    assert Setup() == Setup(seed=0, quick=True, folder=None)


def test_a_study_seeds_what_its_experiment_draws_and_gives_chance_back() -> None:
    seen: list[Setup] = []

    def draw(setup: Setup) -> Finding:
        seen.append(setup)
        return finding(drawn=float(torch.rand(())))

    study = Study(
        name="0-draw",
        section="0",
        exercise="1",
        question="?",
        notebook="-",
        answer="!",
        experiment=draw,
    )
    before = torch.get_rng_state()
    one, again, other = (study.run(Setup(seed=seed, quick=False)) for seed in (3, 3, 4))
    assert one == again != other
    assert torch.equal(torch.get_rng_state(), before)
    assert seen[0] == Setup(seed=3, quick=False)
