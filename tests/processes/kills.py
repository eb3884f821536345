"""A process whose children train, and are killed or run out of disk; what `test_resume.py` starts.

    python kills.py kills FOLDER OUT NUMBER     kill trainings at random moments, and go on
    python kills.py disk FOLDER OUT             let no file grow any more in mid-training

Its children are forked after torch has been imported, which takes longer than all the rest.
"""

import importlib
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import torch

from convlens.cli.exit_codes import exit_code
from convlens.core.errors import ConvLensError
from convlens.experiment.execute import execute
from convlens.experiment.recipe import Recipe, resolve
from convlens.experiment.resume import resume_run
from convlens.runs.store import Run, list_runs
from convlens.train.events import Event, StepsFinished

LIMIT = 100_000  # bytes; a checkpoint has more


def recipe(folder: Path, seconds: float = 0.0) -> Recipe:
    """LeNet with momentum on the small data set, three epochs of ten steps."""
    return resolve("small", {
        "data": {"folder": str(folder), "validation": "test"},
        "model": {"name": "lenet-modern"},
        "train": {
            "epochs": 3, "batch_size": 60, "lr": 0.02, "momentum": 0.9, "log_every": 3,
            "device": "cpu", "checkpoint_seconds": seconds,
        },
    })  # fmt: skip


def fork(work: Callable[[], object]) -> int:
    """The id of a child that does `work` and leaves with its exit code."""
    if child := os.fork():
        return child
    code = 99
    try:
        work()
        code = 0
    except ConvLensError as error:
        print(error, flush=True)
        code = exit_code(error)
    except BaseException:  # which would be lost, since this child leaves without ado
        traceback.print_exc()
    finally:
        os._exit(code)


def wait(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def train(folder: Path, out: Path, seconds: float) -> Callable[[], object]:
    """Go on with the run in `out`, or begin one."""

    def work() -> Run:
        runs = list_runs(out)
        return resume_run(runs[0]) if runs else execute(recipe(folder, seconds), out=out)

    return work


def kills(folder: Path, out: Path, number: int) -> None:
    """A reference, and runs that have all been killed, `number` times in sum; each to its end."""
    chance = random.Random(0)
    started = time.monotonic()
    assert wait(fork(train(folder, out / "reference", 0.0))) == 0
    longest = time.monotonic() - started
    num_killed = num_runs = 0
    while num_killed < number:
        num_runs += 1
        place, seconds = out / str(num_runs), chance.choice([0.0, 1e-9, 0.02])
        ended = False
        while not ended:
            child = fork(train(folder, place, seconds))
            if num_killed < number:
                time.sleep(chance.uniform(0, longest))
                os.kill(child, signal.SIGKILL)
            code = wait(child)
            if code == 3:  # the one before was killed when all was written
                assert list_runs(place)[0].summary()["status"] == "finished"
            else:
                assert code in (0, -signal.SIGKILL), code
                num_killed += code != 0
            ended = code in (0, 3)
    print(num_killed)


def disk(folder: Path, out: Path) -> None:
    """A run that cannot write in its second epoch, and then can."""

    def fill(event: Event) -> None:
        if isinstance(event, StepsFinished) and (event.epoch, event.step) == (2, 3):
            resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))

    def until_full() -> None:
        execute(recipe(folder, 1e-9), out=out / "full", listeners=[fill])

    assert wait(fork(train(folder, out / "reference", 0.0))) == 0
    assert wait(fork(until_full)) == 3
    assert wait(fork(train(folder, out / "full", 0.0))) == 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    importlib.import_module("torch._dynamo")  # else the first optimiser of each child would
    what, *places = sys.argv[1:]
    if what == "kills":
        kills(Path(places[0]), Path(places[1]), int(places[2]))
    else:
        disk(Path(places[0]), Path(places[1]))
