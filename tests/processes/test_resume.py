"""Whatever stops a training, nothing is lost: it goes on to the very same end."""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch

import convlens
from convlens.cli.main import run as convlens_command
from convlens.runs.pair import CheckpointPair
from convlens.runs.record import without_times
from convlens.runs.store import Run, list_runs, open_run

PATIENCE = 300  # seconds, for a machine that is busy with other things
NUM_KILLS = 20
KILLS = Path(__file__).with_name("kills.py")
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(Path(convlens.__file__).parents[1]), "OMP_NUM_THREADS": "1"
}  # fmt: skip

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform == "win32", reason="signals are sent as POSIX sends them"),
]


def left(run: Run) -> dict[str, Any]:
    """All that a run left, but for times and machines."""
    with np.load(run.path / "predictions.npz", allow_pickle=False) as arrays:
        predictions = {name: arrays[name].tobytes() for name in arrays}
    weights = {
        which: {
            name: (tensor.dtype, tensor.numpy().tobytes())
            for name, tensor in safetensors.torch.load_file(run.weights_path(which)).items()
        }
        for which in ("last", "best")
    }
    return {
        "files": sorted(path.name for path in run.path.iterdir()),
        "records": without_times(run.records()),
        "summary": without_times([run.summary()]),
        "predictions": predictions,
        "weights": weights,
    }


def start(*arguments: str | Path) -> str:
    """What the process of `kills.py` printed; it must end well."""
    done = subprocess.run(
        [sys.executable, KILLS, *arguments], env=ENVIRONMENT, capture_output=True, text=True,
        timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_training_killed_at_random_moments_ends_as_if_it_never_was(
    small_folder: Path, tmp_path: Path
) -> None:
    told = start("kills", small_folder, tmp_path, str(NUM_KILLS))
    assert told.split()[-1] == str(NUM_KILLS)
    expected = left(open_run("small-1", tmp_path / "reference"))
    places = [place for place in tmp_path.iterdir() if place.name != "reference"]
    assert places
    for place in places:
        (run,) = list_runs(place)
        assert left(run) == expected


def test_a_disk_that_is_full_is_told_and_loses_nothing(small_folder: Path, tmp_path: Path) -> None:
    told = start("disk", small_folder, tmp_path)
    run = open_run("small-1", tmp_path / "full")
    assert "cannot be written to, so the training has stopped: file too large" in told
    assert f"to go on after step 2 of epoch 2: convlens train --resume {run.path}" in told
    assert left(run) == left(open_run("small-1", tmp_path / "reference"))


@contextmanager
def training(*arguments: str | Path) -> Generator[tuple[subprocess.Popen[str], Path]]:
    """`convlens train` in a process of its own, and the file that it says all to."""
    out = Path(arguments[-1])
    said = out / "said"
    command = [sys.executable, "-m", "convlens", "train", *arguments]
    with (
        said.open("w") as file,
        subprocess.Popen(
            command, stdout=file, stderr=file, text=True, env=ENVIRONMENT, process_group=0
        ) as process,
    ):
        try:
            yield process, said
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], path: Path, wanted: bytes) -> None:
    give_up = time.monotonic() + PATIENCE
    while not (path.exists() and wanted in path.read_bytes()):
        assert process.poll() is None and time.monotonic() < give_up
        time.sleep(0.01)


def options(folder: Path, *more: str) -> list[str]:
    settings = [f"data.folder={folder}", "data.validation=test", "train.log_every=1", *more]
    return [word for setting in settings for word in ("--set", setting)]


@pytest.fixture(scope="module")
def small(small_folder: Path) -> list[str]:
    """Options of a training of six epochs of thirty steps."""
    settings = options(small_folder, "train.momentum=0.9", "train.device=cpu")
    return ["lenet-modern", *settings, "--batch-size", "20", "--epochs", "6"]


@pytest.fixture(scope="module")
def whole(small: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What that training leaves if nothing stops it."""
    out = tmp_path_factory.mktemp("whole")
    assert convlens_command(["train", *small, "--out", str(out), "--quiet"]) == 0
    return left(open_run("lenet-modern-1", out))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_saves_and_says_how_to_go_on(
    small: list[str], whole: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str],
    number: signal.Signals,
) -> None:  # fmt: skip
    """Meanwhile the folder is the process's own."""
    with training(*small, "--out", tmp_path) as (process, said):
        records = tmp_path / "lenet-modern-1" / "metrics.jsonl"
        wait_for(process, records, b'"EpochStarted", "epoch": 2')
        process.send_signal(signal.SIGSTOP)  # so that it does not end before we have looked
        run = Run(records.parent)
        assert convlens_command(["train", "--resume", str(run.path)]) == 3
        assert f"process {process.pid} on" in capfd.readouterr().err
        process.send_signal(number)
        process.send_signal(signal.SIGCONT)
        assert process.wait(PATIENCE) == 130
        text = said.read_text()
    assert "error: interrupted" in text
    assert run.summary()["status"] == "interrupted"
    saved = CheckpointPair(run.path).newest()
    assert saved is not None and saved.note["records"] == len(run.records())
    found = re.search(r"to go on after (.*): convlens (.*)", text)
    assert found is not None
    assert convlens_command(shlex.split(found[2])) == 0
    assert f"going on after {found[1]}\n" in capfd.readouterr().err
    assert left(run) == whole


def test_a_second_ctrl_c_stops_at_once(small_folder: Path, tmp_path: Path) -> None:
    """In the first of 600 steps of an epoch, without saving."""
    arguments = [*options(small_folder), "--batch-size", "1", "--out", tmp_path]
    with training("lenet", *arguments) as (process, said):
        wait_for(process, said, b"training on")
        process.send_signal(signal.SIGSTOP)  # both wait for it, so that no step comes between
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)
        process.send_signal(signal.SIGCONT)
        assert process.wait(PATIENCE) == 130
    (run,) = list_runs(tmp_path)
    assert run.summary()["status"] == "interrupted"
    assert CheckpointPair(run.path).newest() is None
    assert "to go on at the start: convlens train --resume" in said.read_text()
