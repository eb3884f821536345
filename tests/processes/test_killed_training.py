"""A process that is killed in mid-epoch leaves a run folder that can be read and used."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import convlens
from convlens.experiment.execute import evaluate_run
from convlens.runs.store import Run, list_runs, open_run

TRAIN = """
import sys
from pathlib import Path
from convlens.experiment.execute import execute
from convlens.experiment.recipe import load_recipe

settings = ["data.validation=test", "train.device=cpu", "train.epochs=100000"]
settings += ["train.batch_size=10", "train.log_every=1", f"data.folder={sys.argv[1]}"]
execute(load_recipe("lenet-modern", settings), out=Path(sys.argv[2]))
"""
PATIENCE = 120  # seconds, for a machine that is busy with other things

pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here"),
]


def train_until(root: Path, folder: Path, wanted: bytes) -> None:
    """Train in another process and kill it once its records hold `wanted`."""
    source = str(Path(convlens.__file__).parents[1])
    environment = os.environ | {"PYTHONPATH": source, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", TRAIN, str(folder), str(root)]
    records = root / "lenet-modern-1" / "metrics.jsonl"
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as process:
        try:
            give_up = time.monotonic() + PATIENCE
            while not (records.exists() and wanted in records.read_bytes()):
                assert process.poll() is None, process.stderr and process.stderr.read().decode()
                assert time.monotonic() < give_up, "the training did not come so far"
                time.sleep(0.005)
        finally:
            process.kill()
        assert process.wait() == -signal.SIGKILL


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, small_folder: Path) -> Run:
    """A run whose process was killed in its second epoch."""
    root = tmp_path_factory.mktemp("runs")
    in_mid_epoch = {"event": "StepsFinished", "epoch": 2, "step": 20}
    train_until(root, small_folder, json.dumps(in_mid_epoch).removesuffix("}").encode())
    return open_run("lenet-modern-1", root)


def test_it_is_listed_as_unfinished(killed: Run) -> None:
    assert [run.name for run in list_runs(killed.path.parent)] == [killed.name]
    assert killed.summary() == {"status": "unfinished"}


def test_its_recipe_and_its_origin_can_be_read(killed: Run) -> None:
    assert killed.read_recipe()["train"]["epochs"] == 100_000
    assert killed.read_json("provenance.json")["device"] == "cpu"


def test_its_records_tell_every_step_up_to_the_last(killed: Run) -> None:
    records = killed.records()
    steps = [(r["epoch"], r["step"]) for r in records if r["event"] == "StepsFinished"]
    per_epoch = records[0]["steps_per_epoch"]
    assert (2, 20) in steps
    assert steps == [(i // per_epoch + 1, i % per_epoch + 1) for i in range(len(steps))]


def test_its_last_and_best_weights_are_whole(killed: Run) -> None:
    records = killed.records()
    told = [r["accuracy"] for r in records if r["event"] == "Evaluated"]
    kept = sum(r["event"] == "Checkpointed" for r in records)  # perhaps one more, not yet told
    last = evaluate_run(killed, device="cpu").accuracy
    best = evaluate_run(killed, which="best", device="cpu").accuracy
    assert last in told[kept - 1 :]
    assert best in {max(told), max(told[:kept])}
