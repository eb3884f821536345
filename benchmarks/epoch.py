"""One LeNet epoch with its validation: ConvLens against the frameworks that people train with.

Each contestant is a process of its own, so that each runs in the PyTorch it was made for, and
is ready before the first turn: imports, reading the data and building the network are timed
apart. A turn is one epoch, 60,000 training images and the validation on the 10,000 test images
included. What each contestant does, and which of its settings were chosen, its worker says.
"""

import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
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
    version_list,
)
from benchmarks.measure import spread, take_turns
from benchmarks.peers import lay_out_fashion_mnist, peers_python
from benchmarks.pipe import Message, Worker, our_env, peers_env
from convlens.core.names import Table


@dataclass(frozen=True, kw_only=True, slots=True)
class Contestant:
    """Who trains, and where."""

    shown: str  # in the tables
    worker: str  # a module of `workers/`
    args: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()  # modules of the peers' interpreter; none: it runs in this one


TORCH = ("torch", "torchvision")
OURS = "convlens"
CONTESTANTS: Table[Contestant] = Table(  # in the order of their turns
    "contestant",
    ("d2l", Contestant(
        shown="d2l", worker="d2l_lenet", args=("drawing",), needs=("d2l", *TORCH))),
    ("d2l-quiet", Contestant(
        shown="d2l without drawing", worker="d2l_lenet", args=("no-drawing",),
        needs=("d2l", *TORCH))),
    ("pytorch", Contestant(shown="plain PyTorch", worker="pytorch_lenet", needs=TORCH)),
    ("lightning", Contestant(
        shown="Lightning", worker="lightning_lenet", needs=("lightning", *TORCH))),
    ("keras", Contestant(
        shown="Keras on torch", worker="keras_lenet", needs=("keras", "torch"))),
    ("fastai", Contestant(shown="fastai", worker="fastai_lenet", needs=("fastai", *TORCH))),
    (OURS, Contestant(shown="ConvLens", worker="convlens_lenet")),
    ("convlens-d2l", Contestant(shown="ConvLens by d2l's names", worker="convlens_d2l")),
    as_given=True,
)  # fmt: skip
NUM_IMAGES = 60_000  # trained on in an epoch
ABOUT = """\
LeNet as in d2l 7.6 (sigmoid, average pooling, Xavier, SGD 0.1, batch 128) on the CPU, one epoch
of 60,000 images and the validation on the 10,000 test images, in float32.
d2l: `d2l.Trainer(max_epochs=1).fit` on `d2l.FashionMNIST`, as a script runs it: its loader's four
worker processes, its ProgressBoard drawing by matplotlib's Agg (in a notebook it also renders SVG).
d2l without drawing: the same with the board's `display=False`.
plain PyTorch: the loop of PyTorch's first tutorial on torchvision's data set in a `DataLoader`.
Lightning: a `LightningModule` in `Trainer(max_epochs=1)` on the same; no bar, logger, checkpoints.
Both with 0, 2 or 4 worker processes, whichever was fastest in a trial epoch before the first turn.
Keras on torch: `fit` on NumPy arrays in memory, `verbose=0`.
fastai: `Learner.fit` on a list of tensors in memory, in fastai's `DataLoader`; no bar.
ConvLens: `fit` with the recipe `lenet`, `epochs=1`; it writes no run folder here.
ConvLens by d2l's names: d2l's calls on `convlens.d2l`, board not drawn.
Each in a process of its own, taking turns; the idle ones wait in a read."""


def run(options: Options) -> Report:
    """Train an epoch per turn, each contestant in its worker."""
    chosen = choose(options.only)
    needs = sorted({module for contestant in chosen for module in contestant.needs})
    python = peers_python(options.peers, needs) if needs else Path(sys.executable)
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        lay_out_fashion_mnist(root / "data")  # d2l reads ../data, and the others do as it does
        (folder := root / "work").mkdir()
        workers = {one.shown: _worker(one, python, folder) for one in chosen}
        for name, worker in workers.items():  # one after the other, so that each has the machine
            print(f"  {name}: getting ready", file=sys.stderr, flush=True)
            stack.enter_context(worker)
        answers = _take_turns(workers, options.rounds)
        return report({name: worker.ready for name, worker in workers.items()}, answers)


def choose(only: tuple[str, ...]) -> list[Contestant]:
    """The contestants of these names, ConvLens always among them; of no names, all.

    >>> [one.shown for one in choose(("keras",))]
    ['Keras on torch', 'ConvLens']
    """
    wanted = {*only, OURS} if only else set(CONTESTANTS)
    return [contestant for name, contestant in CONTESTANTS.items() if name in wanted]


def report(ready: dict[str, Message], answers: dict[str, list[Message]]) -> Report:
    """What the workers told, as tables."""
    ours = CONTESTANTS[OURS].shown
    seconds = {name: [answer["seconds"] for answer in told] for name, told in answers.items()}
    accuracies = {name: [answer["accuracy"] for answer in told] for name, told in answers.items()}
    idle = {name: max(a["idle_cpu_seconds"] for a in told) for name, told in answers.items()}
    ratio, all_ratios = ratio_grid(seconds, [(name, ours) for name in seconds if name != ours])
    epochs = Grid(
        ("seconds per epoch", *SPREAD_HEADER, "images/s", f"accuracy after {len(seconds[ours])}"),
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
        title="LeNet, one epoch with validation, beside other frameworks",
        about=ABOUT,
        grids=(epochs, ratio, _start_grid(ready, idle)),
        notes=(
            "images/s: training images per second of the whole epoch, its validation included",
            "accuracy: on the test images after that many epochs; d2l's is its mean of batch means",
            "processes: that load data beside the one that trains",
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


def _worker(one: Contestant, python: Path, folder: Path) -> Worker:
    module = f"benchmarks.workers.{one.worker}"
    if one.needs:
        return Worker(python, module, *one.args, folder=folder, env=peers_env())
    return Worker(Path(sys.executable), module, *one.args, folder=folder, env=our_env())


def _take_turns(workers: dict[str, Worker], rounds: int) -> dict[str, list[Message]]:
    tell = tell_round(rounds)

    def tell_seconds(number: int, latest: Any) -> None:
        tell(number, {name: answer["seconds"] for name, answer in latest.items()})

    turns = {name: worker.ask for name, worker in workers.items()}
    return take_turns(turns, rounds, tell=tell_seconds)


def _start_grid(ready: dict[str, Message], idle: dict[str, float]) -> Grid:
    return Grid(
        (
            "start, once", "import s", "data s", "build s", "threads", "processes", "idle CPU s",
            "versions",
        ),
        tuple(
            (
                name,
                *(f"{told[f'{part}_seconds']:.2f}" for part in ("import", "data", "build")),
                str(told["threads"]),
                str(told["loader_workers"]),
                f"{idle[name]:.3f}",
                version_list(told["versions"]),
            )
            for name, told in ready.items()
        ),
    )  # fmt: skip
