"""A run's weights on the test images, plain and averaged over several views of each."""

import time
from dataclasses import replace
from pathlib import Path

from convlens.core.errors import ConfigError
from convlens.data.catalog import load_data
from convlens.experiment.execute import evaluation_batches, load_model, recipe_of
from convlens.runs.store import Run
from convlens.train.evaluate import Evaluation, measure, predict_logits
from convlens.train.machine.precision import computed_in, here
from convlens.train.optim import choose_device
from convlens.train.views import VIEWS, average_views


def evaluate_views(
    run: Run,
    name: str,
    *,
    share: float = 1.0,
    which: str = "last",
    folder: Path | None = None,
    device: str = "auto",
) -> tuple[Evaluation, Evaluation]:
    """The plain evaluation, and that of logits averaged over the views called `name`.

    Views are averaged for the least confident `share` of the images; the seconds of the second
    evaluation are those of both.

    Raises:
        UnknownName: no such kind of averaging.
        ConfigError: a share that is none.
        RunError: the run has no such weights.
        DataError: the data cannot be used.
    """
    views = VIEWS[name]
    if not 0 < share <= 1:
        raise ConfigError(f"a share of the images is above 0 and at most 1, not {share}")
    recipe, chosen = recipe_of(run), choose_device(device)
    config = recipe.data
    if folder is not None:
        config = replace(config, folder=str(folder))
    model = load_model(run, which, device)
    images = load_data(config).test.to(chosen)
    batches = evaluation_batches(images, config)
    started = time.perf_counter()
    with computed_in(here(recipe.train.precision, chosen), chosen):
        logits = predict_logits(model, batches)
        plain = measure(logits, images.labels, time.perf_counter() - started)
        averaged = average_views(model, batches, logits, views, share)
        return plain, measure(averaged, images.labels, time.perf_counter() - started)
