"""The learning-rate sweep of a recipe; it writes no run folder."""

from convlens.data.catalog import load_data, split
from convlens.experiment.execute import initial_chance, initial_model, preparation, training_batches
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
