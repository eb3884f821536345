"""Every way to compute a recipe's step on this machine, for a person to look at."""

from dataclasses import replace

from convlens.data.catalog import load_data, split
from convlens.experiment.execute import initial_chance, preparation, training_batches
from convlens.experiment.machine.compiled import refuse_without_compiler
from convlens.experiment.machine.probe import Tried, fastest, try_ways, ways
from convlens.experiment.recipe import Recipe
from convlens.models.catalog import build
from convlens.train.optim import choose_device


def try_recipe(recipe: Recipe, *, with_compile: bool = False) -> list[Tried]:
    """The steps of `recipe` in every layout and precision that this machine has.

    With `with_compile` the way that is taken is tried compiled, too. Nothing is written.

    Raises:
        ConfigError: the recipe cannot be run, or not compiled.
        DataError: the data cannot be used.
    """
    device = choose_device(recipe.train.device)
    images = split(load_data(recipe.data), recipe.data.validation).train.to(device)
    batches = training_batches(images, recipe.train, preparation(recipe.data), recipe.augment)
    if with_compile:
        refuse_without_compiler(device)
    with initial_chance(recipe):
        model = build(recipe.model_name, recipe.model).to(device)
        tried = try_ways(model, batches, recipe.train, ways(recipe.train, device, every=True))
        if not with_compile:
            return tried
        best = fastest(tried)
        chosen = [*(one.way for one in tried), replace(best, compiled=True)]
        return try_ways(model, batches, recipe.train, chosen)
