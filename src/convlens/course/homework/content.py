"""Content: a replayed homework as plain JSON values."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from convlens.course.homework.replay import Answered, Homework
from convlens.course.homework.trainings import Trained
from convlens.runs.store import write_whole

VERSION = 1


def save_content(homework: Homework, path: Path) -> None:
    """Write it as a JSON file, whole or not at all."""
    text = json.dumps(content(homework), indent=2, ensure_ascii=False) + "\n"
    write_whole(path, lambda stream: stream.write(text.encode()))


def content(homework: Homework) -> dict[str, Any]:
    """All of it, by part."""
    return {
        "version": VERSION,
        "edition": homework.edition,
        "seed": homework.seed,
        "seconds": homework.seconds,
        "faults": list(homework.faults),
        "formulas": [
            {
                "what": formula.what,
                "formula": formula.formula,
                "slip": formula.slip,
                "check": formula.check,
                "holds": holds,
            }
            for formula, holds in homework.formulas
        ],
        "values": [
            {
                "section": each.value.section,
                "what": each.value.what,
                "printed": each.value.printed,
                "ours": each.ours,
                "tolerance": each.value.tolerance,
                "agrees": each.agrees,
            }
            for each in homework.values
        ],
        "kernel": asdict(homework.kernel),
        "trainings": [_training(each) for each in homework.trainings],
        "studies": [_answer(each) for each in homework.answers],
        "provenance": homework.provenance,
    }


def _training(trained: Trained) -> Mapping[str, Any]:
    low, high = trained.training.expected_in(trained.edition)
    return {
        "name": trained.training.name,
        "section": trained.training.section,
        "title": trained.training.title,
        "what": trained.what,
        "run": str(trained.run.path),
        "kept": trained.kept,
        "summary": trained.run.summary(),
        "published": trained.training.published,
        "expected": {"low": low, "high": high},
        "agrees": trained.agrees,
    }


def _answer(answered: Answered) -> Mapping[str, Any]:
    study, finding = answered.study, answered.finding
    return {
        "name": study.name,
        "section": study.section,
        "question": study.question,
        "notebook": study.notebook,
        "answer": study.answer,
        "finding": asdict(finding),
        "verdict": finding.verdict,
        "holds": finding.holds,
        "seconds": answered.seconds,
    }
