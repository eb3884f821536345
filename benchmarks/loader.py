"""Batches of Fashion-MNIST at three sizes: ConvLens in memory against torchvision's loader.

One epoch per turn, nothing trained. torchvision runs in the peers' interpreter, in a process
that waits while ConvLens has its turn.
"""

import tempfile
import time
from collections.abc import Callable
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
)
from benchmarks.measure import spread, take_turns
from benchmarks.peers import lay_out_fashion_mnist, peers_python
from benchmarks.pipe import Worker, peers_env
from convlens.data.batches import Batches
from convlens.data.catalog import load_data
from convlens.data.config import DataConfig
from convlens.data.image_set import ImageSet
from convlens.data.transform import Prepare

SIZES = (28, 96, 224)
NUM_WORKERS = (0, 2)
BATCH_SIZE = 128
ABOUT = """\
All 60,000 training images of Fashion-MNIST, shuffled, in batches of 128 floats, resized from 28x28;
a turn is one epoch of batches and trains nothing.
ConvLens: `Batches` with `Prepare(size)`, bilinear by two matrix products.
torchvision: `Resize(size)` and `ToTensor()` of PIL images in a `DataLoader`, as d2l does, with
that many worker processes (d2l's default is 4); starting them is part of the epoch."""


def run(options: Options) -> Report:
    """Draw an epoch per turn, size after size."""
    python = peers_python(options.peers)
    images = load_data(DataConfig()).train
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lay_out_fashion_mnist(root / "data")
        (folder := root / "work").mkdir()
        module = "benchmarks.workers.torchvision_loader"
        worker = stack.enter_context(Worker(python, module, folder=folder, env=peers_env()))
        seconds: dict[str, list[float]] = {}
        for size in SIZES:
            tell = tell_round(options.rounds)
            seconds |= take_turns(_turns(worker, images, size), options.rounds, tell=tell)
        versions: dict[str, str] = worker.ready["versions"]
    return report(seconds, versions, len(images))


def report(seconds: dict[str, list[float]], versions: dict[str, str], num_images: int) -> Report:
    """The seconds of each contestant, at each size, as rates and ratios."""
    rates = {name: [num_images / s for s in values] for name, values in seconds.items()}
    pairs = [
        (_peer_name(size, workers), _our_name(size)) for size in SIZES for workers in NUM_WORKERS
    ]
    ratio, all_ratios = ratio_grid(seconds, pairs)
    rate = Grid(
        ("images/s", *SPREAD_HEADER),
        tuple((name, *spread_cells(spread(values), ",.0f")) for name, values in rates.items()),
    )
    return Report(
        title="Batches, beside torchvision's loader",
        about=ABOUT,
        grids=(rate, ratio),
        notes=(
            "peers: " + ", ".join(f"{name} {number}" for name, number in versions.items()),
            "ratio: of the seconds of an epoch",
        ),
        data={"seconds": seconds, "ratios": all_ratios, "versions": versions},
    )


def _turns(worker: Worker, images: ImageSet, size: int) -> dict[str, Callable[[], float]]:
    batches = Batches(images, BATCH_SIZE, Prepare(size), shuffle_seed=0)

    def ours() -> float:
        begun = time.perf_counter()
        num_images = sum(len(labels) for _, labels in batches.epoch())
        seconds = time.perf_counter() - begun
        assert num_images == len(images)
        return seconds

    def peer(num_workers: int) -> float:
        told = worker.ask(image_size=size, batch_size=BATCH_SIZE, workers=num_workers)
        assert told["num_images"] == len(images)
        return float(told["seconds"])

    peers = {_peer_name(size, n): partial(peer, n) for n in NUM_WORKERS}
    return {**peers, _our_name(size): ours}


def _our_name(size: int) -> str:
    return f"{size}x{size} ConvLens"


def _peer_name(size: int, num_workers: int) -> str:
    return f"{size}x{size} torchvision {num_workers} workers"
