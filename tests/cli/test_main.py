"""The command line as a whole: help and errors."""

import subprocess
import sys

import pytest

from convlens import __version__
from tests.cli.conftest import Convlens


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [["--help"], ["train", "--help"], ["conv", "--help"], []])
def test_help_does_not_import_torch(arguments: list[str]) -> None:
    done = python(
        "import sys; from convlens.cli.main import run\n"
        f"code = run({arguments!r})\n"
        "sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules or code)"
    )
    assert done.returncode == 0, done.stderr
    assert "convlens" in done.stdout


def test_python_m_convlens_is_the_command() -> None:
    command = [sys.executable, "-m", "convlens", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == __version__


def test_no_arguments_give_six_examples(convlens: Convlens) -> None:
    result = convlens()
    assert result.code == 0
    assert result.out.count("  convlens ") == 6


COMMANDS = ["train", "evaluate", "lr-find", "predict", "models", "recipes", "data", "data show",
            "runs", "runs show", "compare", "report", "doctor", "probe", "conv", "conv learn",
            "conv picture"]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_starts_with_examples(convlens: Convlens, command: str) -> None:
    lines = [line for line in convlens(*command.split(), "--help").out.splitlines() if line]
    assert lines[0].startswith(f"Usage: convlens {command}")
    examples = lines.index("  Examples:")
    assert examples <= 3  # after the one sentence that says what it does
    assert lines[examples + 1].startswith(f"    convlens {command}")


def test_an_unknown_command_gives_the_nearest(convlens: Convlens) -> None:
    result = convlens("tran")
    assert result.code == 2
    assert "train" in result.err


def test_an_unknown_option_gives_the_nearest(convlens: Convlens) -> None:
    result = convlens("train", "--epoch", "3")
    assert result.code == 2
    assert "--epochs" in result.err


def test_debug_shows_the_traceback_of_a_users_error() -> None:
    command = [sys.executable, "-m", "convlens", "recipes", "nothing-like-it"]
    plain = subprocess.run(command, capture_output=True, text=True, check=False)
    debug = subprocess.run([*command, "--debug"], capture_output=True, text=True, check=False)
    assert plain.returncode == 2
    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr
    assert "UnknownName" in debug.stderr
