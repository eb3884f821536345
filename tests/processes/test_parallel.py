"""Several processes train as one does, and none is left behind, whatever happens to one."""

import csv
import json
import math
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
import torch
from torch import Tensor

import convlens
from convlens.cli.main import run as convlens_command
from convlens.runs.record import without_times
from convlens.runs.store import Run, open_run

PATIENCE = 300  # seconds, for a machine that is busy with other things
TOLERANCE = 1e-5
WORLDS = Path(__file__).with_name("worlds.py")
ENVIRONMENT = os.environ | {
    "PYTHONPATH": str(Path(convlens.__file__).parents[1]), "OMP_NUM_THREADS": "1",
    "GLOO_SOCKET_IFNAME": "lo",
}  # fmt: skip

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform != "linux", reason="processes are forked, over `lo`"),
]


@pytest.fixture(scope="module")
def trained(small_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scenarios of `worlds.py` were trained, by their names and numbers of processes."""
    out = tmp_path_factory.mktemp("worlds")
    done = subprocess.run(
        [sys.executable, WORLDS, small_folder, out], env=ENVIRONMENT, capture_output=True,
        text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return out


def curve(run: Run) -> list[float]:
    """The loss of each step, and of each validation."""
    events = ("StepsFinished", "Evaluated")
    return [record["loss"] for record in run.records() if record["event"] in events]


def weights(run: Run) -> dict[str, Tensor]:
    return safetensors.torch.load_file(run.weights_path("last"))


def logits(run: Run) -> Any:
    with np.load(run.path / "predictions.npz", allow_pickle=False) as arrays:
        return arrays["logits"]


def assert_close(one: Run, other: Run) -> None:
    assert curve(one) == pytest.approx(curve(other), abs=TOLERANCE)
    for name, tensor in weights(one).items():
        torch.testing.assert_close(tensor, weights(other)[name], rtol=0, atol=TOLERANCE)


def assert_same(one: Run, other: Run) -> None:
    """All that they left, but for times and machines, is the same to the bit."""
    assert without_times(one.records()) == without_times(other.records())
    assert without_times([one.summary()]) == without_times([other.summary()])
    assert np.array_equal(logits(one), logits(other))
    for name, tensor in weights(one).items():
        assert torch.equal(tensor, weights(other)[name])


@pytest.mark.parametrize(
    ("scenario", "size"),
    [("sigmoid", 2), ("norm", 2), ("norm", 5), ("all", 2), ("whitened", 2)],
)
def test_several_processes_have_the_losses_and_the_weights_of_one(
    trained: Path, scenario: str, size: int
) -> None:
    """With a last batch that cannot be shared evenly, and a process that has none of it."""
    alone = open_run("shared-1", trained / scenario / "1")
    assert_close(alone, open_run("shared-1", trained / scenario / str(size)))
    assert len(set(curve(alone))) == len(curve(alone))


def test_each_image_is_counted_once(trained: Path) -> None:
    run = open_run("shared-1", trained / "sigmoid" / "2")
    (started,) = [record for record in run.records() if record["event"] == "FitStarted"]
    assert (started["num_images"], started["steps_per_epoch"]) == (101, math.ceil(101 / 10))
    steps = [record["loss"] for record in run.records() if record["event"] == "StepsFinished"]
    sizes = [10] * 10 + [1]
    for epoch, finished in enumerate(r for r in run.records() if r["event"] == "EpochFinished"):
        losses = steps[11 * epoch : 11 * epoch + 11]
        mean = sum(loss * size for loss, size in zip(losses, sizes, strict=True)) / 101
        assert finished["loss"] == pytest.approx(mean)
    summary = run.summary()
    assert summary["test"]["num_images"] == len(logits(run)) == 100


def test_the_run_says_how_many_processes_there_were(trained: Path) -> None:
    run = open_run("shared-1", trained / "norm" / "5")
    for about in (run.summary(), run.read_json("provenance.json")):
        assert (about["processes"], about["backend"]) == (5, "gloo")
    alone = open_run("shared-1", trained / "norm" / "1")
    assert "processes" not in alone.summary()
    assert "processes" not in alone.read_json("provenance.json")


def test_a_time_limit_ends_all_processes_in_the_same_step(trained: Path) -> None:
    run = open_run("shared-1", trained / "limited" / "2")
    assert run.summary()["status"] == "finished"
    assert [r["reason"] for r in run.records() if r["event"] == "Stopped"] == [
        "0.05 seconds of training are over"
    ]


def test_what_is_left_to_the_machine_is_settled_for_all(trained: Path) -> None:
    recipe = open_run("shared-1", trained / "limited" / "2").read_recipe()
    assert recipe["train"]["precision"] in ("float32", "bfloat16")


def test_without_validation_the_last_weights_are_kept(trained: Path) -> None:
    run = open_run("shared-1", trained / "whitened" / "2")
    assert run.summary()["validation"] == {"images": "none", "last": None, "best": None}
    assert run.summary()["test"]["num_images"] == 100
    assert run.weights_path("last").read_bytes() == run.weights_path("best").read_bytes()


def test_a_signal_to_one_process_stops_all_and_they_go_on_to_the_same_end(trained: Path) -> None:
    assert_same(
        open_run("shared-1", trained / "stopped" / "2"),
        open_run("shared-1", trained / "norm" / "2"),
    )


@pytest.mark.parametrize("size", [1, 5])
def test_another_number_of_processes_can_go_on(trained: Path, size: int) -> None:
    run = open_run("shared-1", trained / "stopped" / str(size))
    assert_close(run, open_run("shared-1", trained / "norm" / "2"))
    (resumed,) = run.read_json("provenance.json")["resumed"]
    assert resumed.get("processes", 1) == size


@contextmanager
def started(*command: str | Path, out: Path) -> Generator[tuple[subprocess.Popen[str], Path]]:
    """A command in a process group of its own, and the file that it says all to."""
    said = out / "said"
    with (
        said.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-m", *map(str, command)], stdout=file, stderr=file, text=True,
            env=ENVIRONMENT, process_group=0,
        ) as process,
    ):  # fmt: skip
        try:
            yield process, said
        finally:
            if process.poll() is None:
                process.terminate()  # which ends its children, too


def wait_for(process: subprocess.Popen[str], path: Path, wanted: bytes) -> None:
    give_up = time.monotonic() + PATIENCE
    while not (path.exists() and wanted in path.read_bytes()):
        assert process.poll() is None and time.monotonic() < give_up
        time.sleep(0.01)


def writer(run: Path) -> int:
    """The id of the process that writes to a run folder."""
    return json.loads((run / "lock").read_text())["pid"]


def gone(pid: int) -> bool:
    """Whether a process has ended, or is about to."""
    give_up = time.monotonic() + PATIENCE
    while Path(f"/proc/{pid}").exists() and time.monotonic() < give_up:
        time.sleep(0.01)
    return not Path(f"/proc/{pid}").exists()


@pytest.fixture(scope="module")
def words(small_folder: Path) -> list[str]:
    """A training of six epochs of thirty steps, as a command line."""
    settings = [
        f"data.folder={small_folder}", "data.validation=test", "train.log_every=1",
        "train.momentum=0.9", "train.checkpoint_seconds=0.05",
    ]  # fmt: skip
    options = [word for setting in settings for word in ("--set", setting)]
    few = ["--device", "cpu", "--batch-size", "20", "--epochs", "6", "--lr", "0.02"]
    return ["train", "lenet-modern", *few, *options]


@pytest.fixture(scope="module")
def whole(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Run:
    """What that training leaves if two processes do it, started by torchrun itself."""
    out = tmp_path_factory.mktemp("whole")
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    with started(*torchrun, "-m", "convlens", *words, "--out", out, out=out) as (process, said):
        assert process.wait(PATIENCE) == 0, said.read_text()
        assert said.read_text().count("training on 600 images") == 1
    return open_run("lenet-modern-1", out)


def test_torchrun_can_start_them(whole: Run) -> None:
    assert (whole.summary()["status"], whole.summary()["processes"]) == ("finished", 2)


def test_a_killed_process_starts_all_again_to_the_same_end(
    words: list[str], whole: Run, tmp_path: Path
) -> None:
    """That process 0 is killed, which writes and has the lock of the folder, is the worst case."""
    command = ["convlens", *words, "--out", tmp_path, "--processes", "2", "--log", "csv"]
    run = tmp_path / "lenet-modern-1"
    with started(*command, out=tmp_path) as (process, said):
        wait_for(process, run / "metrics.jsonl", b'"EpochStarted", "epoch": 3')
        os.kill(writer(run), signal.SIGKILL)
        assert process.wait(PATIENCE) == 0, said.read_text()
        text = said.read_text()
    assert text.count("note: a process died, so all were started again (restart 1)") == 1
    assert "Traceback" not in text
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["lenet-modern-1"]
    assert_same(open_run("lenet-modern-1", tmp_path), whole)
    assert logged_steps(run) == list(range(1, 6 * 30 + 1))


def logged_steps(run: Path) -> list[int]:
    """The steps in the table of `--log csv`, line by line."""
    with (run / "metrics.csv").open(encoding="utf-8", newline="") as file:
        return [int(row["step"]) for row in csv.DictReader(file)]


def test_a_log_is_written_by_one_process(words: list[str], tmp_path: Path) -> None:
    words = [*words, "--epochs", "1", "--log", "csv", "--processes", "2", "--out", str(tmp_path)]
    with started("convlens", *words, out=tmp_path) as (process, said):
        assert process.wait(PATIENCE) == 0, said.read_text()
        text = said.read_text()
    run = tmp_path / "lenet-modern-1"
    assert text.count("log:        ") == text.count(str(run / "metrics.csv")) == 1
    assert json.loads((run / "logs.json").read_text()) == {"csv": ""}
    assert logged_steps(run) == list(range(1, 31))


def test_ctrl_c_stops_all_processes_and_says_how_to_go_on(
    words: list[str], whole: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    command = ["convlens", *words, "--out", tmp_path, "--processes", "2"]
    run = tmp_path / "lenet-modern-1"
    with started(*command, out=tmp_path) as (process, said):
        wait_for(process, run / "metrics.jsonl", b'"EpochStarted", "epoch": 2')
        pid = writer(run)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert process.wait(PATIENCE) == 130, said.read_text()
        text = said.read_text()
    assert gone(pid)
    assert "Traceback" not in text and text.count("error: interrupted") == 1
    found = re.search(r"to go on after (.*): convlens (.*)", text)
    assert found is not None, text
    assert Run(run).summary()["status"] == "interrupted"
    # One process goes on here, which rounds otherwise, so it is close and not the same.
    assert convlens_command(shlex.split(found[2])) == 0
    told = capfd.readouterr().err
    assert f"going on after {found[1]}\n" in told
    assert "note: processes: 1 here, 2 before; the last bits may differ" in told
    assert_close(Run(run), whole)


def test_a_mistake_is_told_once(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    arguments = ["train", "nosuch", "--processes", "2", "--out", str(tmp_path)]
    assert convlens_command(arguments) == 2
    assert capfd.readouterr().err.count("error: no recipe 'nosuch'") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_error_in_mid_training_is_told_once_with_its_exit_code(
    words: list[str], tmp_path: Path
) -> None:
    words = [*words, "--lr", "1e30", "--out", str(tmp_path), "--processes", "2"]
    with started("convlens", *words, out=tmp_path) as (process, said):
        assert process.wait(PATIENCE) == 4, said.read_text()
        text = said.read_text()
    assert text.count("error: the loss became nan at step") == 1
    assert "Traceback" not in text and "restart" not in text
    assert open_run("lenet-modern-1", tmp_path).summary()["status"] == "diverged"


def test_a_mistake_under_torchrun_is_told_once(tmp_path: Path) -> None:
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "convlens", "train", "nosuch", "--out", str(tmp_path)]
    with started(*command, out=tmp_path) as (process, said):
        assert process.wait(PATIENCE) == 1
        assert said.read_text().count("error: no recipe 'nosuch'") == 1
