"""Replay: every part of the notebook again, in its order, and what came out.

A finished training is kept in the folder and not made again, one that was broken off goes on
where it stopped; all else takes seconds and is computed anew each time.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from convlens.course.catalog import STUDIES
from convlens.course.formulas import FORMULAS, Formula
from convlens.course.homework.kernel import LearnedKernel, learn
from convlens.course.homework.trainings import TRAININGS, Edition, Trained, train_or_continue
from convlens.course.study import Finding, Setup, Study
from convlens.course.values import VALUES, Checked
from convlens.runs.provenance import provenance
from convlens.train.events import Listener

NUM_STARTS = 20  # of the learned kernel, at random
Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """A question, and what its experiment found."""

    study: Study
    finding: Finding
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Homework:
    """All that came out."""

    edition: Edition
    seed: int
    formulas: tuple[tuple[Formula, bool], ...]  # each with whether it holds
    values: tuple[Checked, ...]
    kernel: LearnedKernel
    trainings: tuple[Trained, ...]
    answers: tuple[Answered, ...]
    seconds: float  # of it all, kept trainings not counted
    provenance: dict[str, Any]

    @property
    def faults(self) -> tuple[str, ...]:
        """What did not come out as it should; nothing, if all is well."""
        return (
            *(f"7.1, formula of {each.what}" for each, holds in self.formulas if not holds),
            *(
                f"{each.value.section}, {each.value.what}"
                for each in self.values
                if not each.agrees
            ),
            *(() if self.kernel.agrees else ("7.2, the learned kernel",)),
            *(f"{each.training.section}, training of {each.training.title}"
              for each in self.trainings if not each.agrees),
            *(f"study {each.study.name}" for each in self.answers if not each.finding.holds),
        )  # fmt: skip


def replay(
    edition: Edition,
    out: Path,
    *,
    seed: int = 0,
    folder: Path | None = None,
    listeners: Sequence[Listener] = (),
    tell: Tell = lambda line: None,
) -> Homework:
    """The whole notebook in an edition, its trainings in `out`; `tell` hears what is going on.

    Raises:
        DataError: the data cannot be used.
        RunError: `out` cannot be written.
        KeyboardInterrupt: it was broken off; asked again, it goes on.
    """
    started = time.perf_counter()
    tell("the formulas, the printed values and the learned kernel")
    formulas = tuple((formula, formula.holds(seed)) for formula in FORMULAS)
    values = tuple(value.check() for value in VALUES)
    kernel = learn(range(seed, seed + NUM_STARTS))
    trainings = tuple(_trainings(edition, out, seed, folder, listeners, tell))
    answers = tuple(_answers(Setup(seed=seed, quick=edition == "quick", folder=folder), tell))
    return Homework(
        edition=edition,
        seed=seed,
        formulas=formulas,
        values=values,
        kernel=kernel,
        trainings=trainings,
        answers=answers,
        seconds=time.perf_counter() - started,
        provenance=provenance(torch.device("cpu"), {}),
    )


def _trainings(
    edition: Edition,
    out: Path,
    seed: int,
    folder: Path | None,
    listeners: Sequence[Listener],
    tell: Tell,
) -> list[Trained]:
    done: list[Trained] = []
    for training in TRAININGS:
        tell(f"{training.section} {training.title}")
        recipe = training.recipe_for(edition, seed=seed, folder=folder)
        trained = train_or_continue(training, recipe, edition, out, listeners)
        if trained.kept:
            tell(f"kept from before: {trained.run.path}")
        done.append(trained)
    return done


def _answers(setup: Setup, tell: Tell) -> list[Answered]:
    answers: list[Answered] = []
    for study in STUDIES.values():
        tell(f"{study.section} {study.question}")
        started = time.perf_counter()
        finding = study.run(setup)
        answers.append(
            Answered(study=study, finding=finding, seconds=time.perf_counter() - started)
        )
    return answers
