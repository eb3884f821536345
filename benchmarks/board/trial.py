"""A trial: a recipe with some settings on the tuning split, never near the test images.

    python -m benchmarks.board.trial fast-92 train.lr=0.1 --seeds 3

trains on the first 55,000 training images, looks at the last 5,000 once, at the end, and prints
one line for `log.md`: the settings, the accuracy, that of each image and its mirror image
averaged, the loss, and the seconds of training; means over the seeds, and the spread of the first.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev

from convlens.core.allocator import keep_buffers
from convlens.core.errors import ConvLensError
from convlens.experiment.execute import (
    Material,
    evaluation_batches,
    initial_chance,
    initial_model,
    preparation,
    training_batches,
)
from convlens.experiment.recipe import Recipe, load_recipe
from convlens.train.evaluate import measure, predict_logits
from convlens.train.events import EpochFinished, Event
from convlens.train.loop import fit
from convlens.train.views import VIEWS, average_views

SPLIT = ("data.validation=held-out", "train.device=cpu")


@dataclass(frozen=True, slots=True)
class Trial:
    """What one seed gave."""

    accuracy: float  # of the validation images, in [0, 1]
    mirrored: float  # the same, averaged over each image and its mirror image
    loss: float  # of the validation images
    seconds: float  # of training


def trial(recipe: Recipe, material: Material) -> Trial:
    """Train by `recipe` on the training images of `material` and look at the validation's."""
    splits = material.splits
    train = training_batches(splits.train, recipe.train, preparation(recipe.data), recipe.augment)
    validation = evaluation_batches(splits.validation, recipe.data)
    nothing = evaluation_batches(splits.validation[:0], recipe.data)
    seconds = 0.0

    def listen(event: Event) -> None:
        nonlocal seconds
        if isinstance(event, EpochFinished):
            seconds += event.seconds

    with initial_chance(recipe):
        model = initial_model(recipe, splits.train)
        fit(model, train, nothing, recipe.train, listeners=[listen])
    logits = predict_logits(model, validation)
    both = average_views(model, validation, logits, VIEWS["mirror"])
    labels = splits.validation.labels
    plain = measure(logits, labels)
    return Trial(plain.accuracy, measure(both, labels).accuracy, plain.loss, seconds)


def line(name: str, settings: Sequence[str], trials: Sequence[Trial]) -> str:
    """A row of `log.md`.

    >>> line("fast-92", ["train.lr=0.1"], [Trial(0.92, 0.93, 0.25, 30.0)] * 2)
    '| fast-92 | train.lr=0.1 | 2 | 92.00 +- 0.00 | 93.00 | 0.2500 | 30.0 |'
    """
    accuracies = [100 * each.accuracy for each in trials]
    spread = f" +- {stdev(accuracies):.2f}" if len(trials) > 1 else ""
    cells = (
        name,
        " ".join(settings) or "as shipped",
        str(len(trials)),
        f"{mean(accuracies):.2f}{spread}",
        f"{mean(100 * each.mirrored for each in trials):.2f}",
        f"{mean(each.loss for each in trials):.4f}",
        f"{mean(each.seconds for each in trials):.1f}",
    )
    return f"| {' | '.join(cells)} |"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the trial that `arguments` describe; 0 if it ran, 2 if it cannot be run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.board.trial", description=__doc__)
    parser.add_argument("recipe", help="a recipe's name or .toml file")
    parser.add_argument("settings", nargs="*", metavar="KEY=VALUE", help="settings to try")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="seeds 0 to N - 1")
    args = parser.parse_args(arguments)
    keep_buffers()  # as the command line does
    try:
        recipe = load_recipe(args.recipe, [*args.settings, *SPLIT])
        material = Material.of(recipe)
    except ConvLensError as error:
        print(error, file=sys.stderr)
        return 2
    trials = [
        trial(replace(recipe, train=replace(recipe.train, seed=seed)), material)
        for seed in range(args.seeds)
    ]
    print(line(recipe.name, args.settings, trials), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
