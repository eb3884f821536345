"""Study: a question, the experiment that answers it, and what came out.

An experiment computes or measures; it quotes nothing. `Finding.holds` is a comparison of what came
out with what the answer says, so a wrong answer, or a wrong program, shows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from convlens.core.seed import reproducible

Verdict = Literal["right", "partly", "wrong", "unreadable"]
Number = int | float | str


@dataclass(frozen=True, kw_only=True, slots=True)
class Setup:
    """How an experiment is to be run."""

    seed: int = 0
    quick: bool = True  # few cases, few images: seconds instead of minutes


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What an experiment gave."""

    numbers: Mapping[str, Number]  # by what they are
    text: str  # one or two sentences with those numbers
    holds: bool  # whether they agree with the answer


@dataclass(frozen=True, kw_only=True, slots=True)
class Study:
    """One question of the homework."""

    name: str  # section and a word, as in 7.4-blocks
    question: str  # in our own words
    notebook: str  # what the student's notebook answered, in short
    verdict: Verdict  # of that answer
    answer: str
    experiment: Callable[[Setup], Finding]  # what it draws comes of torch's generator

    def run(self, setup: Setup) -> Finding:
        """What the experiment gives under the seed of `setup`; chance is afterwards as before."""
        with reproducible(setup.seed):
            return self.experiment(setup)

    @property
    def section(self) -> str:
        """The book's section.

        >>> from convlens.course.catalog import STUDIES
        >>> STUDIES["7.4-blocks"].section
        '7.4'
        """
        return self.name.partition("-")[0]
