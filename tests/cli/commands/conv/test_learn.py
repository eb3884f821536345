"""`convlens conv learn`, as a user meets it."""

import json
import re
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Convlens


def test_the_books_losses_and_kernel_line_by_line(convlens: Convlens, tmp_path: Path) -> None:
    png = tmp_path / "learn.png"
    out = convlens("conv", "learn", "--png", png, "--every", "2").out
    assert re.findall(r"^epoch +(\d+)  loss ([\d.]+) ", out, re.MULTILINE) == [
        ("2", "10.795"), ("4", "3.640"), ("6", "1.360"), ("8", "0.535"), ("10", "0.215"),
    ]  # fmt: skip
    assert "kernel: (1.0383, -0.9430)" in out
    assert "next: convlens conv" in out
    with Image.open(png) as picture:
        assert picture.width > 500


def test_json_on_stdout_and_progress_on_stderr(convlens: Convlens, tmp_path: Path) -> None:
    result = convlens("conv", "learn", "--seed", "3", "--json", "--png", tmp_path / "a.png")
    assert len(result.json["steps"]) == 10
    assert result.json["steps"][-1]["loss"] < 0.56  # for any start of a layer's
    lines = [json.loads(line) for line in result.err.splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, 11))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--lr", "10", "--epochs", "100"], 4, "the loss is"),
        (["--lr", "0"], 2, "lr=0"),
        (["--epochs", "0"], 2, "epochs=0"),
        (["--png", "learn.doc"], 2, "ends in .png"),
    ],
)
def test_mistakes_are_named(
    convlens: Convlens,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    result = convlens("conv", "learn", *arguments)
    assert result.code == code
    assert said in result.err
    assert not list(tmp_path.iterdir())
