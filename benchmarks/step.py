"""One LeNet training step: plain PyTorch against ConvLens' own loop, in one process.

Plain PyTorch is what a careful user writes without looking at memory layouts: all images ready
as floats in memory, a shuffled index per batch, contiguous (NCHW) tensors, `torch.optim.SGD`.
ConvLens is its `fit`, whose `EpochFinished` event tells the seconds of training alone.
"""

import time
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import nn

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
from convlens.data.batches import Batches
from convlens.data.catalog import load_data
from convlens.data.image_set import ImageSet
from convlens.experiment.execute import preparation, training_batches
from convlens.experiment.recipe import Recipe, load_recipe
from convlens.models.catalog import build
from convlens.train.events import EpochFinished, Event
from convlens.train.loop import fit

NUM_STEPS = 50  # per turn
RECIPES = ("lenet", "lenet-modern")
ABOUT = f"""\
A training step of LeNet (forward, backward, update; batch 128, 28x28) on the CPU, the mean of
{NUM_STEPS} steps per turn, both in one process, so that settings of the process hold for both.
plain: `nn.Sequential`, contiguous tensors, images already floats in memory, a gather per batch.
ConvLens: `fit` with the recipe's settings (channels last, images as bytes in memory), its gather,
scaling, learning rate and loss records included; validation is not.
lenet: sigmoid and average pooling, SGD. lenet-modern: ReLU and max-pooling, Nesterov momentum."""

Turn = Callable[[], float]


def run(options: Options) -> Report:
    """Train some steps per turn, recipe after recipe."""
    milliseconds: dict[str, list[float]] = {}
    for name in RECIPES:
        recipe = load_recipe(name, ["train.epochs=1", "train.device=cpu"])
        images = load_data(recipe.data).train[: NUM_STEPS * recipe.train.batch_size]
        turns = {
            f"{name} plain": plain_turn(recipe, images),
            f"{name} ConvLens": convlens_turn(recipe, images),
        }
        tell = tell_round(options.rounds, "ms")
        milliseconds |= take_turns(turns, options.rounds, warm_up=1, tell=tell)
    pairs = [(f"{name} plain", f"{name} ConvLens") for name in RECIPES]
    ratio, all_ratios = ratio_grid(milliseconds, pairs)
    steps = Grid(
        ("milliseconds per step", *SPREAD_HEADER, "images/s"),
        tuple(
            (name, *spread_cells(spread(v), ".2f"), f"{128e3 / spread(v).median:,.0f}")
            for name, v in milliseconds.items()
        ),
    )
    return Report(
        title="LeNet, one training step, beside plain PyTorch",
        about=ABOUT,
        grids=(steps, ratio),
        data={"milliseconds": milliseconds, "ratios": all_ratios},
    )


def plain_lenet(*, modern: bool) -> nn.Sequential:
    """LeNet written down as one would without ConvLens."""
    activation = nn.ReLU if modern else nn.Sigmoid
    pool = nn.MaxPool2d if modern else nn.AvgPool2d
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), activation(), pool(2, 2),
        nn.Conv2d(6, 16, 5), activation(), pool(2, 2),
        nn.Flatten(),
        nn.Linear(400, 120), activation(),
        nn.Linear(120, 84), activation(),
        nn.Linear(84, 10),
    )  # fmt: skip


def plain_turn(recipe: Recipe, images: ImageSet) -> Turn:
    """Milliseconds per step of a plain loop with the optimiser settings of `recipe`."""
    config = recipe.train
    model = plain_lenet(modern=recipe.model.activation == "relu")
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
        weight_decay=config.weight_decay,
    )
    x_all, y_all = preparation(recipe.data)(images.images), images.labels

    def turn() -> float:
        model.train()
        begun = time.perf_counter()
        for chosen in torch.randperm(len(y_all)).split(config.batch_size):
            loss = F.cross_entropy(model(x_all[chosen]), y_all[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        return (time.perf_counter() - begun) / NUM_STEPS * 1e3

    return turn


def convlens_turn(recipe: Recipe, images: ImageSet) -> Turn:
    """Milliseconds per step of ConvLens' own loop with `recipe`."""
    model = build(recipe.model_name, recipe.model)
    prepare = preparation(recipe.data)
    train = training_batches(images, recipe.train, prepare)
    few = Batches(images[:10], 10, prepare)  # fit wants a validation; its time is not counted

    def turn() -> float:
        finished: list[EpochFinished] = []

        def listen(event: Event) -> None:
            if isinstance(event, EpochFinished):
                finished.append(event)

        fit(model, train, few, recipe.train, listeners=[listen])
        return finished[-1].seconds / NUM_STEPS * 1e3

    return turn
