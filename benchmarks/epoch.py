"""One LeNet epoch with its validation: d2l's own Trainer against ConvLens, by both its names.

Each contestant is a process of its own, so that each runs in the PyTorch it was made for, and
is ready before the first turn: imports, reading the data and building the network are timed
apart. A turn is `Trainer.fit` or `fit` for one epoch, 60,000 training images and the validation
on the 10,000 test images included.
"""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

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
from benchmarks.pipe import Message, Worker, our_env, peers_env

D2L, QUIET_D2L, OURS = "d2l", "d2l without drawing", "ConvLens"
OUR_D2L = "ConvLens by d2l's names"
NUM_IMAGES = 60_000  # trained on in an epoch
ABOUT = """\
LeNet as in d2l 7.6 (sigmoid, average pooling, Xavier, SGD 0.1, batch 128) on the CPU, one epoch
of 60,000 images and the validation on the 10,000 test images.
d2l: `d2l.Trainer(max_epochs=1).fit` on `d2l.FashionMNIST`, as a script runs it: its loader's four
worker processes, its ProgressBoard drawing by matplotlib's Agg (in a notebook it also renders SVG).
d2l without drawing: the same with the board's `display=False`.
ConvLens: `fit` with the recipe `lenet`, `epochs=1`; it writes no run folder here.
ConvLens by d2l's names: d2l's calls on `convlens.d2l`, board not drawn.
Each in a process of its own, taking turns; the idle ones wait in a read."""


def run(options: Options) -> Report:
    """Train an epoch per turn in four workers."""
    python = peers_python(options.peers)
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lay_out_fashion_mnist(root / "data")  # d2l reads ../data
        (folder := root / "work").mkdir()
        d2l = "benchmarks.workers.d2l_lenet"
        here = Path(sys.executable)
        workers = {
            D2L: Worker(python, d2l, "drawing", folder=folder, env=peers_env()),
            QUIET_D2L: Worker(python, d2l, "no-drawing", folder=folder, env=peers_env()),
            OURS: Worker(here, "benchmarks.workers.convlens_lenet", folder=folder, env=our_env()),
            OUR_D2L: Worker(here, "benchmarks.workers.convlens_d2l", folder=folder, env=our_env()),
        }
        for worker in workers.values():  # one after the other, so that each has the machine
            stack.enter_context(worker)
        answers = _take_turns(workers, options.rounds)
        return report({name: worker.ready for name, worker in workers.items()}, answers)


def report(ready: dict[str, Message], answers: dict[str, list[Message]]) -> Report:
    """What the workers told, as tables."""
    seconds = {name: [answer["seconds"] for answer in told] for name, told in answers.items()}
    accuracies = {name: [answer["accuracy"] for answer in told] for name, told in answers.items()}
    idle = {name: max(a["idle_cpu_seconds"] for a in told) for name, told in answers.items()}
    ratio, all_ratios = ratio_grid(seconds, [(D2L, OURS), (QUIET_D2L, OURS), (OUR_D2L, OURS)])
    epochs = Grid(
        ("seconds per epoch", *SPREAD_HEADER, "images/s", f"accuracy after {len(seconds[OURS])}"),
        tuple(
            (
                name,
                *spread_cells(spread(taken), ".2f"),
                f"{NUM_IMAGES / spread(taken).median:,.0f}",
                f"{accuracies[name][-1]:.3f}",
            )
            for name, taken in seconds.items()
        ),
    )
    return Report(
        title="LeNet, one epoch with validation, beside d2l",
        about=ABOUT,
        grids=(epochs, ratio, _start_grid(ready, idle)),
        notes=(
            "images/s: training images per second of the whole epoch, its validation included",
            "accuracy: on the test images after that many epochs; d2l's is its mean of batch means",
            "idle CPU: the most that a worker used while it waited for its next turn",
        ),
        data={
            "seconds": seconds,
            "accuracy": accuracies,
            "ratios": all_ratios,
            "ready": ready,
            "idle_cpu_seconds": idle,
        },
    )


def _take_turns(workers: dict[str, Worker], rounds: int) -> dict[str, list[Message]]:
    tell = tell_round(rounds)

    def tell_seconds(number: int, latest: Any) -> None:
        tell(number, {name: answer["seconds"] for name, answer in latest.items()})

    turns = {name: worker.ask for name, worker in workers.items()}
    return take_turns(turns, rounds, tell=tell_seconds)


def _start_grid(ready: dict[str, Message], idle: dict[str, float]) -> Grid:
    return Grid(
        ("start, once", "import s", "data s", "build s", "threads", "idle CPU s", "versions"),
        tuple(
            (
                name,
                *(f"{told[f'{part}_seconds']:.2f}" for part in ("import", "data", "build")),
                str(told["threads"]),
                f"{idle[name]:.3f}",
                ", ".join(f"{package} {number}" for package, number in told["versions"].items()),
            )
            for name, told in ready.items()
        ),
    )
