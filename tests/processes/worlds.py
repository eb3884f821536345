"""A process whose children train together over gloo; what `test_parallel.py` starts.

    python worlds.py FOLDER OUT     train each scenario alone and shared, under OUT/<scenario>/<N>

Its children are forked after torch has been imported, which takes longer than all the rest.
"""

import importlib
import os
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from convlens.experiment.execute import execute
from convlens.experiment.recipe import Recipe, resolve
from convlens.experiment.resume import resume_run
from convlens.runs.store import open_run
from convlens.train.events import Event, StepsFinished
from convlens.train.parallel.processes import joined
from convlens.train.parallel.world import World

Scenario = dict[str, dict[str, Any]]
SCENARIOS: dict[str, tuple[Scenario, tuple[int, ...]]] = {
    # 101 images: in the last step of an epoch one of two processes has no image
    "sigmoid": ({"model": {"name": "lenet"}, "data": {"max_train_images": 101}}, (1, 2)),
    # 104 images: the last step has four, of which one of five processes has none
    "norm": (
        {
            "model": {"name": "lenet", "batch_norm": True},
            "data": {"max_train_images": 104},
            "train": {"lr": 0.01, "momentum": 0.9},
        },
        (1, 2, 5),
    ),
    "all": (
        {
            "model": {"name": "lenet", "batch_norm": True},
            "data": {"max_train_images": 103},
            "train": {
                "lr": 0.01, "momentum": 0.9, "accumulate": 3, "clip": 0.5, "average": 0.9,
                "lookahead": 2, "label_smoothing": 0.1, "weight_decay": 0.01,
            },
            "augment": {"flip": "random", "translate": 2, "mixup": 0.4, "cutmix": 1.0},
        },
        (1, 2),
    ),
    "whitened": (
        {
            "model": {"name": "quicknet"},
            "data": {"max_train_images": 103, "validation": "none"},
            "train": {"lr": 0.01, "momentum": 0.9},
        },
        (1, 2),
    ),
    "limited": (
        {
            "model": {"name": "lenet"},
            "train": {"time_limit": 0.05, "epochs": 99, "precision": "auto"},
        },
        (2,),
    ),
}  # fmt: skip


def recipe(folder: Path, scenario: Scenario) -> Recipe:
    train = {"epochs": 2, "batch_size": 10, "log_every": 1, "device": "cpu"}
    return resolve("shared", {
        "data": {"folder": str(folder), "validation": "test", **scenario.get("data", {})},
        "model": scenario["model"],
        "train": {**train, **scenario.get("train", {})},
        "augment": scenario.get("augment", {}),
    })  # fmt: skip


def together(size: int, work: Callable[[World], object], code: int = 0) -> None:
    """Do `work` in `size` processes, each of which must leave with `code`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    children: list[int] = []
    for rank in range(size):
        if child := os.fork():
            children.append(child)
        else:
            os._exit(in_world(rank, size, port, work))
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [code] * size, codes


def in_world(rank: int, size: int, port: int, work: Callable[[World], object]) -> int:
    place = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": size, "MASTER_PORT": port}
    os.environ |= {name: str(value) for name, value in place.items()}
    os.environ["MASTER_ADDR"] = "127.0.0.1"
    try:
        with joined() as world:
            work(world)
    except KeyboardInterrupt:
        return 130
    except BaseException:  # which would be lost, since this child leaves without ado
        traceback.print_exc()
        return 99
    return 0


def stop(event: Event) -> None:
    """Process 0 alone gets a signal, in mid-epoch."""
    if isinstance(event, StepsFinished) and (event.epoch, event.step) == (2, 4):
        os.kill(os.getpid(), signal.SIGINT)


def main(folder: Path, out: Path) -> None:
    for name, (scenario, sizes) in SCENARIOS.items():
        of = recipe(folder, scenario)
        for size in sizes:
            place = out / name / str(size)
            together(size, lambda world, of=of, at=place: execute(of, out=at, world=world))
    stopped = recipe(folder, SCENARIOS["norm"][0])
    for size in (1, 2, 5):
        place = out / "stopped" / str(size)

        def begin(world: World, place: Path = place) -> object:
            heard = [] if world.rank else [stop]
            return execute(stopped, out=place, world=world, listeners=heard)

        def go_on(world: World, place: Path = place) -> object:
            return resume_run(open_run("shared-1", place), world=world)

        together(2, begin, code=130)
        together(size, go_on)


if __name__ == "__main__":
    torch.set_num_threads(1)
    importlib.import_module("torch._dynamo")  # else the first optimiser of each child would
    main(Path(sys.argv[1]), Path(sys.argv[2]))
