"""One training step of four networks: a plain PyTorch loop against ConvLens' own.

Each contestant is a process of its own, since how memory is given back is a setting of the
process: the plain loop's is as Python starts it, ConvLens' is as its command starts. Both start
from the same weights and images, and before anything is timed the losses of their first steps
must agree: so both do the same work.
"""

import math
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

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
from benchmarks.peers import peers_python
from benchmarks.pipe import Message, Worker, our_env, peers_env
from convlens.core.errors import ConvLensError
from convlens.core.names import Table
from convlens.core.seed import reproducible
from convlens.data.catalog import load_data
from convlens.experiment.recipe import Recipe, load_recipe
from convlens.models.catalog import build

NUM_CHECKED = 2  # steps whose losses are compared: of the first weights, and of one update
TOLERANCES = (1e-4, 1e-2)  # how far, relatively, each may differ: a ResNet's first step in float32
# makes a difference by rounding a thousand times larger; in float64 the tests find none
# Constant rates and no decay, so that a plain `torch.optim.SGD` makes the same steps.
SETTINGS = (
    "train.epochs=1", "train.device=cpu", "train.schedule=constant", "train.weight_decay=0",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """What is trained, by the recipe of its name."""

    num_steps: int  # per turn
    goal: float | None  # the ratio that ConvLens is to reach with torch's own kernels


NETWORKS: Table[Network] = Table(
    "network",
    ("lenet", Network(num_steps=100, goal=1.5)),
    ("lenet-modern", Network(num_steps=100, goal=None)),
    ("resnet18-d2l", Network(num_steps=3, goal=1.3)),
    ("vgg11-slim", Network(num_steps=2, goal=1.4)),
    as_given=True,
)
ABOUT = """\
A training step (forward, backward, update; batch 128) on the CPU, the mean of the steps of a turn.
plain: a loop by `torch.nn` and `torch.optim.SGD` alone, contiguous tensors, images already floats
of the network's size in memory, a gather per batch; torch and the allocator by their defaults.
ConvLens: `fit` with the recipe's settings (channels last, images as bytes in memory), its gather,
scaling, resizing, learning rate and loss records included, validation not; its process starts as
its command does.
Both start from the same weights and images. Each in a process of its own, taking turns.
lenet, 28x28: sigmoid and average pooling, SGD. lenet-modern, 28x28: ReLU and max-pooling, Nesterov
momentum. resnet18-d2l, 96x96, and vgg11-slim, 224x224: the book's, SGD. No schedule, no decay."""


class DifferentWorkError(ConvLensError):
    """Two contestants that are said to do the same do not."""


def run(options: Options) -> Report:
    """Train some steps per turn, network after network."""
    milliseconds: dict[str, list[float]] = {}
    losses: dict[str, list[float]] = {}
    ready: dict[str, Message] = {}
    for name in options.only or NETWORKS:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            workers = _workers(name, folder, options.peers)
            for worker in workers.values():
                stack.enter_context(worker)
            ready |= {shown: worker.ready for shown, worker in workers.items()}
            told = {
                shown: worker.ask(check=NUM_CHECKED)["losses"] for shown, worker in workers.items()
            }
            check_losses(told)
            losses |= told
            turns = {shown: partial(_turn, worker) for shown, worker in workers.items()}
            tell = tell_round(options.rounds, "ms")
            milliseconds |= take_turns(turns, options.rounds, warm_up=1, tell=tell)
    return report(milliseconds, losses, ready)


def check_losses(losses: dict[str, list[float]]) -> None:
    """Let through contestants whose losses agree.

    >>> check_losses({"a": [2.3, 2.2], "b": [2.30001, 2.201]})
    >>> check_losses({"a": [2.3, 2.2], "b": [2.31, 2.2]})
    Traceback (most recent call last):
    benchmarks.step.DifferentWorkError: step 1: the loss of a is 2.3, of b 2.31
    """
    (first, expected), *others = losses.items()
    for other, found in others:
        for step, (a, b, tolerance) in enumerate(zip(expected, found, TOLERANCES, strict=True)):
            if not math.isclose(a, b, rel_tol=tolerance):
                what = f"step {step + 1}: the loss of {first} is {a}, of {other} {b}"
                raise DifferentWorkError(what)


def report(
    milliseconds: dict[str, list[float]],
    losses: dict[str, list[float]],
    ready: dict[str, Message],
) -> Report:
    """What the workers told, as tables."""
    pairs = [(slow, _ours(slow)) for slow in milliseconds if slow != _ours(slow)]
    goals = {
        (_plain(name), f"{name} ConvLens"): network.goal
        for name, network in NETWORKS.items()
        if network.goal is not None
    }
    ratio, all_ratios = ratio_grid(milliseconds, pairs, goals)
    steps = Grid(
        ("milliseconds per step", *SPREAD_HEADER, "images/s"),
        tuple(
            (name, *spread_cells(spread(v), ".2f"), f"{128e3 / spread(v).median:,.0f}")
            for name, v in milliseconds.items()
        ),
    )
    return Report(
        title="One training step, beside plain PyTorch",
        about=ABOUT,
        grids=(steps, ratio, _check_grid(losses, ready)),
        notes=(
            "target: what ConvLens is to reach with torch's own kernels",
            "buffers kept: whether the allocator keeps large buffers for the next step",
        ),
        data={"milliseconds": milliseconds, "ratios": all_ratios, "losses": losses, "ready": ready},
    )


def _check_grid(losses: dict[str, list[float]], ready: dict[str, Message]) -> Grid:
    return Grid(
        ("the same work", "loss of step 1", "of step 2", "buffers kept", "versions"),
        tuple(
            (
                name,
                *(f"{loss:.5f}" for loss in losses[name]),
                "yes" if told["keeps_buffers"] else "no",
                version_list(told["versions"]),
            )
            for name, told in ready.items()
        ),
    )


def _workers(name: str, folder: Path, peers: Path | None) -> dict[str, Worker]:
    recipe = load_recipe(name, SETTINGS)
    torch.save(start_of(recipe, NETWORKS[name].num_steps), folder / "start.pt")
    here, plain = Path(sys.executable), "benchmarks.workers.plain_step"
    ours = "benchmarks.workers.convlens_step"
    workers = {_plain(name): Worker(here, plain, name, folder=folder, env=peers_env())}
    if peers is not None:
        python = peers_python(peers, ("torch",))
        shown = f"{_plain(name)}, the peers' torch"
        workers[shown] = Worker(python, plain, name, folder=folder, env=peers_env())
    workers[f"{name} ConvLens"] = Worker(here, ours, name, *SETTINGS, folder=folder, env=our_env())
    return workers


def start_of(recipe: Recipe, num_steps: int) -> dict[str, Any]:
    """What both contestants start from; plain numbers and tensors."""
    config = recipe.train
    images = load_data(recipe.data).train[: num_steps * config.batch_size]
    with reproducible(config.seed):
        model = build(recipe.model_name, recipe.model)
    return {
        "weights": [parameter.detach().clone() for parameter in model.parameters()],
        "images": images.images.clone(),
        "labels": images.labels.clone(),
        "image_size": recipe.data.image_size,
        "mean": list(recipe.data.mean),
        "std": list(recipe.data.std),
        "batch_size": config.batch_size,
        "sgd": {"lr": config.lr, "momentum": config.momentum, "nesterov": config.nesterov},
    }


def _turn(worker: Worker) -> float:
    return float(worker.ask()["milliseconds"])


def _plain(name: str) -> str:
    return f"{name} plain"


def _ours(shown: str) -> str:
    return f"{shown.partition(' ')[0]} ConvLens"
