"""What the code offers stands in the docs."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from convlens.core import errors
from convlens.core.errors import ConvLensError
from convlens.data.augment.settings import AugmentConfig
from convlens.train.optim import TrainConfig

ROOT = Path(__file__).parents[2]


def test_the_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


ERRORS = [
    name
    for name, value in vars(errors).items()
    if isinstance(value, type) and issubclass(value, ConvLensError)
]


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_on_the_errors_page(name: str) -> None:
    assert f"`{name}`" in (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", [0, 1, 2, 3, 4, 130])
def test_an_exit_code_is_on_the_errors_page(code: int) -> None:
    assert f"| {code} |" in (ROOT / "docs" / "errors.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "decisions").glob("0*.md")))
def test_a_decision_is_at_most_forty_lines(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 40


@pytest.mark.parametrize("kind", [TrainConfig, AugmentConfig])
def test_every_setting_of_a_training_is_explained_in_words(kind: type) -> None:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    missing = [field.name for field in fields(kind) if f"`{field.name}" not in page]
    assert not missing


@pytest.mark.parametrize("kind", [TrainConfig, AugmentConfig])
def test_every_choice_of_a_setting_is_explained_in_words(kind: type) -> None:
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    for hint in get_type_hints(kind).values():
        if get_origin(hint) is Literal:
            assert all(f"`{choice}`" in page for choice in get_args(hint) if choice != "none")
