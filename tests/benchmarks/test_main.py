import re
from pathlib import Path

import pytest

from benchmarks import __main__ as command_line
from benchmarks.benchmark import Benchmark, Grid, Options, Report
from benchmarks.peers import PeersError
from convlens.core.names import Table


def fine(options: Options) -> Report:
    return Report(
        title="Fine", about=f"{options.rounds} rounds of {options.only}.", grids=(Grid(("a",), ()),)
    )


def offline(_: Options) -> Report:
    raise PeersError("cannot make .venv-peers: offline", fix="--peers PYTHON")


@pytest.fixture(autouse=True)
def table(monkeypatch: pytest.MonkeyPatch) -> None:
    table = Table(
        "benchmark",
        ("fine", Benchmark(run=fine, rounds=7, about="runs", choices=("red", "green"))),
        ("offline", Benchmark(run=offline, rounds=1, about="does not")),
    )
    monkeypatch.setattr(command_line, "BENCHMARKS", table)


def test_a_named_benchmark_runs_with_its_own_rounds(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["fine"]) == 0
    printed = capsys.readouterr()
    assert "## Fine" in printed.out
    assert "7 rounds of ()." in printed.out
    assert "`python -m benchmarks fine --rounds 7`" in printed.out


def test_without_a_name_all_run_and_one_that_cannot_stops_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert command_line.main(["--rounds", "2"]) == 3
    printed = capsys.readouterr()
    assert "2 rounds of ()." in printed.out
    assert "offline could not run: cannot make .venv-peers: offline\n--peers" in printed.err


def test_an_unknown_name_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["fin"]) == 2
    assert "did you mean 'fine'?" in capsys.readouterr().err


def test_a_part_of_a_benchmark_can_be_chosen(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["fine", "--only", "red,green"]) == 0
    printed = capsys.readouterr().out
    assert "7 rounds of ('red', 'green')." in printed
    assert "`python -m benchmarks fine --only red,green --rounds 7`" in printed


def test_a_part_that_a_benchmark_has_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert command_line.main(["fine", "--only", "gren"]) == 2
    assert "no choice of fine 'gren'; did you mean 'green'?" in capsys.readouterr().err
    assert command_line.main(["--only", "red"]) == 2  # the other benchmark has no parts


def test_a_former_name_still_works(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command_line, "FORMER", {"good": "fine"})
    assert command_line.main(["good"]) == 0
    assert "`python -m benchmarks fine --rounds 7`" in capsys.readouterr().out


@pytest.mark.parametrize("rounds", ["0", "-1", "many"])
def test_rounds_are_at_least_one(rounds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        command_line.main(["fine", "--rounds", rounds])
    assert caught.value.code == 2
    assert "--rounds" in capsys.readouterr().err


def test_help_begins_with_examples(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command_line.main(["--help"])
    printed = capsys.readouterr().out
    assert printed.index("examples:") < printed.index("--rounds N ")
    assert "offline" in printed


def test_the_library_does_not_know_its_benchmarks() -> None:
    source = Path(__file__).parents[2] / "src"
    for path in source.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        assert re.search(r"^\s*(from|import) benchmarks", text, re.MULTILINE) is None, path
