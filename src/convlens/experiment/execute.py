"""From a recipe to a run: load, build, train, test once, and keep it all."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, final

import torch
from torch import nn

from convlens.core.errors import Diverged
from convlens.core.seed import derive, reproducible
from convlens.data.batches import Batches
from convlens.data.catalog import Splits, load_data, split
from convlens.data.config import DataConfig
from convlens.data.image_set import ImageSet
from convlens.data.transform import Prepare
from convlens.experiment.recipe import Recipe, resolve
from convlens.models.catalog import build, num_parameters
from convlens.runs.checkpoint import load_weights, save_weights
from convlens.runs.provenance import provenance
from convlens.runs.store import RUNS_FOLDER, Run, create_run
from convlens.train.evaluate import Evaluation, evaluate, measure, predict_logits
from convlens.train.events import EpochFinished, Evaluated, Event, FitFinished, Listener
from convlens.train.loop import fit
from convlens.train.optim import TrainConfig, choose_device

EVALUATION_BATCH = 1_000  # images of 28x28; large enough to be fast, small enough for any machine
LEAST_EVALUATION_BATCH = 100  # images, however large they are
_INIT, _SHUFFLE = 0, 1  # what the seed of a recipe is used for


def execute(recipe: Recipe, *, out: Path = RUNS_FOLDER, listeners: Sequence[Listener] = ()) -> Run:
    """Train what `recipe` says and test it once, into a new run folder under `out`.

    Raises:
        ConfigError, UnknownName, ShapeError: the recipe cannot be run; no folder is left.
        DataError: the data cannot be used; no folder is left.
        RunError: `out` cannot be written.
        Diverged: the loss is no longer finite; the folder holds the last good weights.
    """
    device = choose_device(recipe.train.device)
    data = load_data(recipe.data)
    splits = split(data, recipe.data.validation, max_train_images=recipe.data.max_train_images)
    splits = _to_device(splits, device)
    with reproducible(derive(recipe.train.seed, _INIT)):
        model = build(recipe.model_name, recipe.model).to(device)
        run = create_run(recipe.name, out)
        run.write_recipe(recipe.to_table())
        md5 = {Path(file.path).name: file.md5 for file in data.files}
        run.write_json("provenance.json", provenance(device, md5))
        archive = _Archive(run, model, recipe)
        prepare = preparation(recipe.data)
        try:
            fit(
                model,
                training_batches(splits.train, recipe.train, prepare),
                evaluation_batches(splits.validation, recipe.data),
                recipe.train,
                listeners=[archive.listen, *listeners],
                checkpoint=archive.checkpoint,
            )
            test = _test(run, model, evaluation_batches(splits.test, recipe.data))
        except Diverged as error:
            archive.finish("diverged", error=error.what)
            raise Diverged(error.what, fix=f"{error.fix}\n{archive.kept()}") from None
        except KeyboardInterrupt:
            archive.finish("interrupted")
            raise KeyboardInterrupt(archive.kept()) from None
        archive.finish("finished", test=test)
    return run


def training_batches(images: ImageSet, config: TrainConfig, prepare: Prepare) -> Batches:
    """The shuffled batches that a training with these settings sees."""
    return Batches(images, config.batch_size, prepare, shuffle_seed=derive(config.seed, _SHUFFLE))


def evaluation_batches(images: ImageSet, config: DataConfig) -> Batches:
    """The images in order, in batches that are smaller the larger the images are."""
    size = EVALUATION_BATCH * 28**2 // config.image_size**2
    size = min(max(size, LEAST_EVALUATION_BATCH), EVALUATION_BATCH)
    return Batches(images, size, preparation(config))


def preparation(config: DataConfig) -> Prepare:
    """How this recipe turns pixels into numbers."""
    return Prepare(config.image_size, mean=config.mean, std=config.std)


def recipe_of(run: Run) -> Recipe:
    """The recipe that `run` was made by, resolved again from its folder.

    Raises:
        RunError: it is missing.
        ConfigError: it is not this version's.
    """
    name, _, _ = run.name.rpartition("-")
    return resolve(name or run.name, run.read_recipe())


def load_model(run: Run, which: str = "last", device: str = "auto") -> nn.Module:
    """The trained network of `run`, in evaluation mode, with its `which` weights.

    Raises:
        RunError: no weights there, damaged ones, or another model's.
    """
    recipe = recipe_of(run)
    with torch.random.fork_rng():  # building draws initial weights that are replaced at once
        model = build(recipe.model_name, recipe.model)
    load_weights(run.weights_path(which), model)
    return model.to(choose_device(device)).eval()


def evaluate_run(
    run: Run, *, which: str = "last", folder: Path | None = None, device: str = "auto"
) -> Evaluation:
    """Loss and accuracy of a run's weights on the test images, from `folder` if given.

    Raises:
        RunError: the run has no such weights.
        DataError: the data cannot be used.
    """
    config = recipe_of(run).data
    if folder is not None:
        config = replace(config, folder=str(folder))
    model = load_model(run, which, device)
    images = load_data(config).test.to(choose_device(device))
    return evaluate(model, evaluation_batches(images, config))


def _test(run: Run, model: nn.Module, batches: Batches) -> Evaluation:
    logits = predict_logits(model, batches)
    labels = batches.data.labels
    arrays = {"labels": labels.cpu().numpy(), "logits": logits.cpu().numpy()}
    run.write_arrays("predictions.npz", arrays)
    return measure(logits, labels)


def _to_device(splits: Splits, device: torch.device) -> Splits:
    return Splits(splits.train.to(device), splits.validation.to(device), splits.test.to(device))


@final
class _Archive:
    """Writes a training into its run folder: each event, the weights, how it ended."""

    def __init__(self, run: Run, model: nn.Module, recipe: Recipe) -> None:
        self.run = run
        self.model = model
        self.recipe = recipe
        self.last: Evaluated | None = None  # validation after the last epoch whose weights are kept
        self.best: Evaluated | None = None
        self.epochs: list[EpochFinished] = []
        self.seconds: float | None = None

    def listen(self, event: Event) -> None:
        self.run.append_record(type(event).__name__, asdict(event))
        if isinstance(event, EpochFinished):
            self.epochs.append(event)
        if isinstance(event, FitFinished):
            self.seconds = event.seconds

    def checkpoint(self, evaluated: Evaluated) -> bool:
        about = {
            "model": self.recipe.model_name,
            "epoch": evaluated.epoch,
            "validation_accuracy": evaluated.accuracy,
        }
        best = self.best is None or evaluated.accuracy > self.best.accuracy
        save_weights(self.run.weights_path("last"), self.model, about)
        self.last = evaluated
        if best:
            save_weights(self.run.weights_path("best"), self.model, about)
            self.best = evaluated
        return best

    def kept(self) -> str:
        """Where the last good weights are, in a sentence."""
        if self.last is None:
            return f"no epoch was finished, so {self.run.path} holds no weights"
        return f"the weights after epoch {self.last.epoch} are in {self.run.weights_path('last')}"

    def finish(self, status: str, *, test: Evaluation | None = None, error: str = "") -> None:
        train_seconds = sum(epoch.seconds for epoch in self.epochs)
        num_images = sum(epoch.seconds * epoch.images_per_second for epoch in self.epochs)
        summary: dict[str, Any] = {
            "version": 1,
            "status": status,
            **({"error": error} if error else {}),
            "recipe": self.recipe.name,
            "model": self.recipe.model_name,
            "num_parameters": num_parameters(self.model),
            "epochs": len(self.epochs),
            "validation": {
                "images": self.recipe.data.validation,
                "last": _validation(self.last),
                "best": _validation(self.best),
            },
            "test": _test_summary(test),
            "train_loss": self.epochs[-1].loss if self.epochs else None,
            "seconds": self.seconds,
            "train_seconds": train_seconds,
            "images_per_second": num_images / train_seconds if train_seconds else None,
        }
        self.run.write_json("summary.json", summary)


def _validation(evaluated: Evaluated | None) -> Mapping[str, Any] | None:
    if evaluated is None:
        return None
    return {"epoch": evaluated.epoch, "loss": evaluated.loss, "accuracy": evaluated.accuracy}


def _test_summary(test: Evaluation | None) -> Mapping[str, Any] | None:
    if test is None:
        return None
    return {"loss": test.loss, "accuracy": test.accuracy, "num_images": test.num_images}
