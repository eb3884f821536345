"""Study: a question, what a student's notebook answered, and an experiment that decides.

A finding is a list of claims, each found to be true or false by the experiment. The claims say
whose they are: from that alone follow whether the right answer holds and how good the notebook's
was. Nothing here says beforehand how an experiment ends.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, final

from convlens.core.seed import reproducible

Number = int | float | str  # a str is a shape or a name
Part = Literal["said", "missed", "mistaken", "besides"]
Verdict = Literal["right", "partly", "wrong", "unreadable"]


@final
@dataclass(frozen=True, slots=True)
class Setup:
    """How an experiment is to be run."""

    seed: int = 0
    quick: bool = True  # few cases, short trainings: seconds instead of minutes
    folder: Path | None = None  # where the data set's files are; default: inside the package


@final
@dataclass(frozen=True, slots=True)
class Claim:
    """One statement, and whether the experiment found it to be true.

    The part is "said" if the notebook and the right answer claim it, "mistaken" if the notebook
    alone does, "missed" if the question asks for it and the notebook does not say it, "besides"
    if the right answer adds it without being asked.
    """

    part: Part
    text: str
    true: bool

    @property
    def as_expected(self) -> bool:
        """Whether it came out as the right answer has it.

        >>> Claim("mistaken", "the earth is flat", False).as_expected
        True
        """
        return self.true is not (self.part == "mistaken")


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What an experiment found.

    >>> claims = (Claim("said", "it rains", True), Claim("missed", "it pours", True))
    >>> finding = Finding(numbers={"mm": 40}, text="40 mm of rain fell.", claims=claims)
    >>> finding.holds, finding.verdict
    (True, 'partly')
    """

    numbers: Mapping[str, Number]  # by what they are, with the unit in the name
    text: str  # the result in a sentence or two, with its numbers
    claims: tuple[Claim, ...]
    ran: str = ""  # what was trained, on how much; "" if nothing was
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])  # no claim rests on one

    def to_table(self) -> dict[str, Any]:
        """All of it as plain JSON values."""
        return {
            "numbers": dict(self.numbers),
            "finding": self.text,
            "claims": [
                {
                    "part": claim.part,
                    "claim": claim.text,
                    "true": claim.true,
                    "as_expected": claim.as_expected,
                }
                for claim in self.claims
            ],
            "ran": self.ran,
            "seconds": dict(self.seconds),
            "holds": self.holds,
            "verdict": self.verdict,
        }

    @property
    def holds(self) -> bool:
        """Whether every claim came out as the right answer has it."""
        return all(claim.as_expected for claim in self.claims)

    @property
    def verdict(self) -> Verdict:
        """How good the notebook's answer was, by the claims that it made and those it missed."""
        made = [claim.true for claim in self.claims if claim.part in ("said", "mistaken")]
        if not made:
            return "unreadable"
        if not any(made):
            return "wrong"
        complete = not any(claim.part == "missed" for claim in self.claims)
        return "right" if all(made) and complete else "partly"


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """A question of the book, with the notebook's answer and the right one."""

    name: str  # the section and a word, as in "7.4-blocks"
    section: str  # of the book, as in "7.4"
    exercise: str  # its number there, as in "7a"
    question: str  # in our own words
    notebook: str  # what the notebook answered, in short
    answer: str  # the right answer
    experiment: Callable[[Setup], Finding]  # what it draws comes of torch's generator

    def to_table(self) -> dict[str, Any]:
        """Question and answers as plain JSON values."""
        return {
            "name": self.name,
            "section": self.section,
            "exercise": self.exercise,
            "question": self.question,
            "notebook": self.notebook,
            "answer": self.answer,
        }

    def run(self, setup: Setup) -> Finding:
        """What the experiment finds under the seed of `setup`; chance is afterwards as before.

        Raises:
            ConfigError: the folder is in no one's home.
            DataError: the experiment trains, and the data set's files cannot be used.
        """
        with reproducible(setup.seed):
            return self.experiment(setup)
