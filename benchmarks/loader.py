"""Batches of Fashion-MNIST at three sizes: ConvLens in memory against torchvision's loader.

One epoch per turn, nothing trained. Each contestant is a process of its own, torchvision's in the
peers' interpreter.
"""

import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.benchmark import (
    SPREAD_HEADER,
    Grid,
    Options,
    Report,
    ratio_grid,
    spread_cells,
    tell_round,
    version_list,
)
from benchmarks.measure import spread, take_turns
from benchmarks.peers import lay_out_fashion_mnist, peers_python
from benchmarks.pipe import Message, Worker, our_env, peers_env

GOALS: dict[int, float | None] = {28: None, 96: 15.0, 224: 5.0}  # by size: the ratio aimed at
NUM_WORKERS = (0, 2, 4)
BATCH_SIZE = 128
NUM_IMAGES = 60_000
ABOUT = """\
All 60,000 training images of Fashion-MNIST, shuffled, in batches of 128 floats, resized from 28x28;
a turn is one epoch of batches and trains nothing.
ConvLens: `Batches` with `Prepare(size)`, bilinear by two matrix products.
torchvision: `Resize(size)` and `ToTensor()` of PIL images in a `DataLoader`, as d2l does, with
that many worker processes (PyTorch's default is 0, d2l's 4); starting them is part of the epoch.
Each in a process of its own, taking turns."""


def run(options: Options) -> Report:
    """Draw an epoch per turn, size after size."""
    python = peers_python(options.peers, ("torch", "torchvision"))
    sizes = [int(size) for size in options.only] or list(GOALS)
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lay_out_fashion_mnist(root / "data")
        (folder := root / "work").mkdir()
        peers, ours = "benchmarks.workers.torchvision_loader", "benchmarks.workers.convlens_loader"
        peer = stack.enter_context(Worker(python, peers, folder=folder, env=peers_env()))
        here = Path(sys.executable)
        our = stack.enter_context(Worker(here, ours, folder=folder, env=our_env()))
        seconds: dict[str, list[float]] = {}
        for size in sizes:
            peer_turns = {
                _peer_name(size, n): partial(_epoch, peer, size, workers=n) for n in NUM_WORKERS
            }
            turns = {**peer_turns, _our_name(size): partial(_epoch, our, size)}
            seconds |= take_turns(turns, options.rounds, tell=tell_round(options.rounds))
        ready = {"ConvLens": our.ready, "torchvision": peer.ready}
        versions = {name: told["versions"] for name, told in ready.items()}
    return report(seconds, versions)


def report(seconds: dict[str, list[float]], versions: dict[str, dict[str, str]]) -> Report:
    """The seconds of each contestant, at each size, as rates and ratios."""
    rates = {name: [NUM_IMAGES / s for s in values] for name, values in seconds.items()}
    sizes = [size for size in GOALS if _our_name(size) in seconds]
    pairs = [(_peer_name(size, n), _our_name(size)) for size in sizes for n in NUM_WORKERS]
    goals = {
        (best_peer(seconds, size), _our_name(size)): goal
        for size, goal in GOALS.items()
        if size in sizes and goal is not None
    }
    ratio, all_ratios = ratio_grid(seconds, pairs, goals)
    rate = Grid(
        ("images/s", *SPREAD_HEADER),
        tuple((name, *spread_cells(spread(values), ",.0f")) for name, values in rates.items()),
    )
    return Report(
        title="Batches, beside torchvision's loader",
        about=ABOUT,
        grids=(rate, ratio),
        notes=(
            *(f"{name}: {version_list(numbers)}" for name, numbers in versions.items()),
            "ratio: of the seconds of an epoch",
            "target: beside torchvision's best, the number of processes with the smallest median",
        ),
        data={"seconds": seconds, "ratios": all_ratios, "versions": versions},
    )


def best_peer(seconds: dict[str, list[float]], size: int) -> str:
    """The torchvision contestant with the smallest median at this size."""
    names = [_peer_name(size, n) for n in NUM_WORKERS]
    return min(names, key=lambda name: spread(seconds[name]).median)


def _epoch(worker: Worker, size: int, **request: int) -> float:
    told: Message = worker.ask(image_size=size, batch_size=BATCH_SIZE, **request)
    assert told["num_images"] == NUM_IMAGES
    return float(told["seconds"])


def _our_name(size: int) -> str:
    return f"{size}x{size} ConvLens"


def _peer_name(size: int, num_workers: int) -> str:
    return f"{size}x{size} torchvision {num_workers} workers"
