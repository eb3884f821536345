"""What is found out about a recipe by a few steps of it; no run folder is written."""

from dataclasses import replace

from convlens.data.catalog import load_data, split
from convlens.experiment.execute import initial_chance, initial_model, preparation, training_batches
from convlens.experiment.machine.compiled import refuse_without_compiler
from convlens.experiment.machine.probe import Tried, fastest, try_ways, ways
from convlens.experiment.recipe import Recipe
from convlens.train.finder import Sweep, sweep
from convlens.train.optim import choose_device


def find_lr(
    recipe: Recipe, *, low: float = 1e-6, high: float = 10.0, num_steps: int = 200
) -> Sweep:
    """Rising learning rates and their losses, from the weights that a training starts with.

    Raises:
        ConfigError: the rates do not rise, or the recipe cannot be run.
        DataError: the data cannot be used.
    """
    device = choose_device(recipe.train.device)
    images = split(load_data(recipe.data), recipe.data.validation).train.to(device)
    batches = training_batches(images, recipe.train, preparation(recipe.data), recipe.augment)
    with initial_chance(recipe):
        model = initial_model(recipe, images)
        return sweep(model, batches, recipe.train, low=low, high=high, num_steps=num_steps)


def find_ways(recipe: Recipe, *, with_compile: bool = False) -> list[Tried]:
    """The times of a step in every layout and precision that this machine has.

    With `with_compile` the one that would be chosen is tried compiled, too.

    Raises:
        ConfigError: the recipe cannot be run, or not compiled.
        DataError: the data cannot be used.
    """
    device = choose_device(recipe.train.device)
    if with_compile:
        refuse_without_compiler(device)
    images = split(load_data(recipe.data), recipe.data.validation).train.to(device)
    batches = training_batches(images, recipe.train, preparation(recipe.data), recipe.augment)
    with initial_chance(recipe):
        model = initial_model(recipe, images)
        tried = try_ways(model, batches, recipe.train, ways(recipe.train, device, every=True))
        if not with_compile:
            return tried
        chosen = [*(one.way for one in tried), replace(fastest(tried), compiled=True)]
        return try_ways(model, batches, recipe.train, chosen)
