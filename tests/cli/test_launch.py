"""How processes are started, and how their endings reach the person.

Those that are really started are in `tests/processes/test_parallel.py`.
"""

import json
from pathlib import Path

import pytest
import typer

from convlens.cli import launch
from convlens.core.errors import ConfigError, DataError, RunError
from convlens.train.parallel.world import World


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of endings of a process that was launched, alone."""
    monkeypatch.setenv("CONVLENS_ENDINGS", str(tmp_path))
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "1")
    return tmp_path


def test_threads_share_the_cores_unless_one_has_said_how_many() -> None:
    environment: dict[str, str] = {}
    assert int(launch.prepare(environment, 1, "x")) >= 1
    assert launch.prepare({}, 10_000, "x") == "1"
    assert launch.prepare({"OMP_NUM_THREADS": "7"}, 2, "x") == "7"


def test_a_number_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(ConfigError, match="--processes 0"):
        launch.refuse_unlaunchable(0)


def test_an_error_for_the_user_is_written_down_and_needs_no_restart(place: Path) -> None:
    calls: list[World] = []

    def work(world: World) -> None:
        calls.append(world)
        raise DataError("no images", fix="bring some")

    assert launch.launched() and launch.started_by_torchrun()
    launch.take_part(work)
    launch.take_part(work)  # as after a restart
    assert len(calls) == 1
    ending = json.loads((place / "ending.json").read_text())
    assert ending == {"code": 3, "what": "no images", "fix": "bring some"}


def test_ctrl_c_is_written_down(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def work(world: World) -> None:
        raise KeyboardInterrupt("kept")

    monkeypatch.setattr(launch.signal, "signal", lambda *_: None)
    with pytest.raises(typer.Exit) as left:
        launch.take_part(work)
    assert left.value.exit_code == 130
    assert json.loads((place / "interrupted.json").read_text()) == {"what": "kept"}


@pytest.mark.parametrize(("error", "lasting"), [(RuntimeError(), False), (TypeError(), True)])
def test_a_fault_of_ours_is_kept_and_only_what_others_may_cause_is_tried_again(
    place: Path, error: Exception, lasting: bool
) -> None:
    def work(world: World) -> None:
        raise error

    with pytest.raises(typer.Exit) as left:
        launch.take_part(work)
    assert left.value.exit_code == 1
    assert (place / "ending.json").exists() == lasting
    (fault,) = place.iterdir()
    assert type(error).__name__ in json.loads(fault.read_text())["traceback"]


def test_under_torchrun_the_first_process_tells(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(world: World) -> None:
        raise RunError("no run")

    monkeypatch.delenv("CONVLENS_ENDINGS")
    with pytest.raises(typer.Exit) as left:
        launch.take_part(work)
    assert left.value.exit_code == 3
    assert capsys.readouterr().err == "error: no run\n"
    assert not list(place.iterdir())
