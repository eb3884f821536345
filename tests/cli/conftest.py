"""What the tests of the command line share: a way to run it, and a trained run."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from convlens.cli.main import run


@dataclass(frozen=True)
class Result:
    """What a command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """stdout, which must be one JSON object."""
        content = json.loads(self.out)
        assert isinstance(content, dict)
        return content


Convlens = Callable[..., Result]


@pytest.fixture
def convlens(capfd: pytest.CaptureFixture[str]) -> Convlens:
    """Run the command line in this process."""

    def call(*arguments: str | Path) -> Result:
        code = run([str(argument) for argument in arguments])
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture(scope="session")
def small_recipe(small_folder: Path) -> Sequence[str]:
    """Options that make any recipe train on the small data set, for one epoch."""
    return (
        "--set", f"data.folder={small_folder}", "--set", "data.validation=test", "--epochs", "1",
    )  # fmt: skip


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, small_recipe: Sequence[str]) -> Path:
    """The folder of a run, trained once for all tests; read it, do not write to it."""
    out = tmp_path_factory.mktemp("runs")
    assert run(["train", "lenet-modern", *small_recipe, "--out", str(out), "--quiet"]) == 0
    return out / "lenet-modern-1"
