"""Estimate: how long the trainings will take here, from a few steps of each.

Nothing is trained by it. The clock may be off by what other programs do meanwhile, and by how the
machine slows down when it gets warm.
"""

import torch

from convlens.data.batches import Batches
from convlens.data.catalog import load_data, split
from convlens.experiment.execute import evaluation_batches, preparation
from convlens.experiment.recipe import Recipe
from convlens.inspection.training.timing import time_forward, time_step
from convlens.models.catalog import build
from convlens.runs.store import Run
from convlens.train.optim import choose_device


def seconds_left(recipe: Recipe, earlier: Run | None, *, repeats: int = 2) -> float:
    """How many seconds of training and evaluation a recipe still takes; 0 if it is finished."""
    done = 0
    if earlier is not None:
        if earlier.summary()["status"] == "finished":
            return 0.0
        done = sum(record["event"] == "EpochFinished" for record in earlier.records())
    device = choose_device(recipe.train.device)
    data = load_data(recipe.data)
    splits = split(data, recipe.data.validation, max_train_images=recipe.data.max_train_images)
    with torch.random.fork_rng():
        model = build(recipe.model_name, recipe.model).to(device)
    if recipe.train.channels_last:
        model = model.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    prepare = preparation(recipe.data)
    batches = Batches(splits.train.to(device), recipe.train.batch_size, prepare)
    x, labels = next(batches.epoch())
    step = time_step(model, x, labels, repeats=repeats, warm_up=1).median_seconds
    tests = evaluation_batches(data.test.to(device), recipe.data)
    forward = time_forward(model, next(tests.epoch())[0], repeats=repeats, warm_up=1)
    epochs = recipe.train.epochs - done
    return epochs * len(batches) * step + (epochs + 1) * len(tests) * forward.median_seconds


def in_words(seconds: float) -> str:
    """A time as people say it, rounded up.

    >>> in_words(42.0), in_words(150.0), in_words(34_100.0)
    ('1 minute', '3 minutes', '9.5 hours')
    """
    minutes = -int(-seconds // 60)
    if minutes < 90:
        return f"{minutes} minute{'s' if minutes != 1 else ''}"
    return f"{seconds / 3600:.1f} hours"
