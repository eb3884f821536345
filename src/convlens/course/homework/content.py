"""Content: a replayed homework as plain JSON values."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from convlens.core.files import write_whole
from convlens.course.homework.replay import Homework
from convlens.course.homework.trainings import Trained

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
        "values": [each.to_table() for each in homework.values],
        "kernel": asdict(homework.kernel),
        "trainings": [_training(each) for each in homework.trainings],
        "studies": [
            {**each.study.to_table(), **each.finding.to_table(), "took_seconds": each.seconds}
            for each in homework.answers
        ],
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
