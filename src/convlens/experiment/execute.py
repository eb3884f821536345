"""From a recipe to a run: load, build, train, test once, and keep it all."""

import math
from collections.abc import Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import nn

from convlens.core.allocator import keep_buffers
from convlens.core.errors import Diverged, OutOfMemory, RunError
from convlens.core.seed import derive, reproducible
from convlens.data.augment.apply import Augment
from convlens.data.augment.settings import AugmentConfig
from convlens.data.batches import Batches
from convlens.data.catalog import Splits, load_data, split
from convlens.data.config import DataConfig
from convlens.data.image_set import ImageSet
from convlens.data.transform import Prepare
from convlens.experiment.archive import Archive, writing
from convlens.experiment.interruption import interruptible
from convlens.experiment.loggers.logger import logged
from convlens.experiment.machine.compiled import compile_steps
from convlens.experiment.machine.settle import refuse_what_this_machine_lacks, settle
from convlens.experiment.memory import evaluation_shortage, is_shortage, training_shortage
from convlens.experiment.recipe import Recipe, resolve
from convlens.models.catalog import build
from convlens.nn.stem import MOST_IMAGES, fit_whitening
from convlens.runs.checkpoint import load_weights
from convlens.runs.lock import locked
from convlens.runs.pair import CheckpointPair, Saved
from convlens.runs.provenance import provenance
from convlens.runs.store import RUNS_FOLDER, Run, create_run
from convlens.train.evaluate import Evaluation, evaluate, measure, predict_logits
from convlens.train.events import Listener
from convlens.train.loop import run as fit
from convlens.train.machine.denormals import flushing_denormals
from convlens.train.machine.precision import computed_in, here
from convlens.train.optim import TrainConfig, choose_device
from convlens.train.parallel.device import device_for
from convlens.train.parallel.world import ALONE, World
from convlens.train.task import Classification

EVALUATION_BATCH = 1_000  # images of 28x28; large enough to be fast, small enough for any machine
LEAST_EVALUATION_BATCH = 100  # images, however large they are
_INIT, _SHUFFLE, _AUGMENT = range(3)  # what the seed of a recipe is used for


@dataclass(frozen=True, kw_only=True, slots=True)
class Material:
    """What a training is made of: images and a device, both there."""

    device: torch.device
    splits: Splits  # on the device
    data_md5: Mapping[str, str]  # of the files, by name

    @classmethod
    def of(cls, recipe: Recipe, world: World = ALONE) -> "Material":
        """What `recipe` asks for.

        Raises:
            ConfigError, UnknownName, DataError: it is not to be had.
        """
        device = device_for(recipe.train.device, world)
        data = load_data(recipe.data)
        splits = split(data, recipe.data.validation, max_train_images=recipe.data.max_train_images)
        return cls(
            device=device,
            splits=Splits(
                splits.train.to(device), splits.validation.to(device), splits.test.to(device)
            ),
            data_md5={Path(file.path).name: file.md5 for file in data.files},
        )


def material_here(recipe: Recipe, world: World) -> Material:
    """What `recipe` asks for, on a machine that can train by it.

    Raises:
        ConfigError, UnknownName, DataError: it is not to be had, or the machine cannot.
    """
    material = Material.of(recipe, world)
    refuse_what_this_machine_lacks(recipe.train, material.device, world.size)
    return material


def execute(
    recipe: Recipe,
    *,
    out: Path = RUNS_FOLDER,
    listeners: Sequence[Listener] = (),
    world: World = ALONE,
) -> Run:
    """Train what `recipe` says and test it once, into a new run folder under `out`.

    Of several processes (`world`) each calls this alike, and process 0 has the listeners.

    Raises:
        ConfigError, UnknownName, ShapeError: the recipe cannot be run; no folder is left.
        DataError: the data cannot be used; no folder is left.
        RunError: `out` cannot be written, or not any longer.
        OutOfMemory: a step wants more than there is; says what would fit.
        Diverged: the loss is no longer finite; the folder holds the last good weights.
        KeyboardInterrupt: Ctrl-C or SIGTERM; says what was saved, and how to go on.
    """
    keep_buffers()
    material = world.everywhere(lambda: material_here(recipe, world))
    with initial_chance(recipe):
        model = world.everywhere(lambda: initial_model(recipe, material.splits.train))
        recipe = _settled(recipe, model, material, listeners, world)
        run = world.first(lambda: create_run(recipe.name, out))
        with world.first_holds(locked(run.path)):
            world.first(lambda: _write_origin(run, recipe, material, world))
            pair = CheckpointPair(run.path)
            train_into(run, recipe, model, material, listeners, pair=pair, world=world)
    return run


def _settled(
    recipe: Recipe,
    model: nn.Module,
    material: Material,
    listeners: Sequence[Listener],
    world: World,
) -> Recipe:
    """The recipe with nothing left to the machine; listeners are told what was settled.

    Process 0 tries it with a full batch, while the others wait, and all take its answer.
    """
    prepare = preparation(recipe.data)
    batches = training_batches(material.splits.train, recipe.train, prepare, recipe.augment)
    config, settled = world.first(lambda: settle(recipe.train, model, batches))
    if settled is not None:
        for listener in listeners:
            listener(settled)
    return replace(recipe, train=config)


def _write_origin(run: Run, recipe: Recipe, material: Material, world: World) -> None:
    with writing(run, lambda: "name another folder with --out"):
        run.write_recipe(recipe.to_table())
        origin = provenance(material.device, material.data_md5)
        run.write_json("provenance.json", origin | world.about())


def initial_chance(recipe: Recipe) -> AbstractContextManager[None]:
    """Inside, chance is as at the start of a training by `recipe`."""
    return reproducible(derive(recipe.train.seed, _INIT))


def initial_model(recipe: Recipe, images: ImageSet) -> nn.Module:
    """The network that a training by `recipe` on `images` starts with, on their device.

    Weights are drawn from torch's generator; a whitening layer is computed from images that are
    spread over the set.
    """
    model = build(recipe.model_name, recipe.model).to(images.images.device)
    some = images.images[:: math.ceil(len(images) / MOST_IMAGES)]
    fit_whitening(model, lambda: preparation(recipe.data)(some))
    return model


def train_into(
    run: Run,
    recipe: Recipe,
    model: nn.Module,
    material: Material,
    listeners: Sequence[Listener],
    *,
    pair: CheckpointPair,
    saved: Saved | None = None,
    world: World = ALONE,
) -> None:
    """Train `model` from its start, or from where `saved` was made, and test it once.

    The caller holds the lock of the folder. Raises as `execute` does.
    """
    prepare, splits = preparation(recipe.data), material.splits
    train = training_batches(splits.train, recipe.train, prepare, recipe.augment)
    validation = evaluation_batches(splits.validation, recipe.data)
    task = Classification(model, train, validation, recipe.train, world)
    logs = world.first_holds(logged(listeners, run, recipe))
    flushing = flushing_denormals(recipe.train.flush_denormal)
    with interruptible() as interruption, logs, flushing:
        archive = Archive(run, recipe, task, interruption, pair)
        start = archive.go_on(saved)
        with _ending(archive, recipe, material.device):
            if recipe.train.compile:
                compiled = compile_steps(task)
                for listener in (archive.listen, *listeners):
                    listener(compiled)
            fit(
                task,
                epochs=recipe.train.epochs,
                log_every=recipe.train.log_every,
                listeners=[archive.listen, *listeners],
                checkpoint=archive.checkpoint,
                keep=archive.keep,
                start=start,
            )
            archive.rest()
            in_precision = computed_in(recipe.train.precision, material.device)
            with writing(run, archive.going_on), in_precision:
                test = _test(run, model, evaluation_batches(splits.test, recipe.data), world)
            archive.finish("finished", test=test)


@contextmanager
def _ending(archive: Archive, recipe: Recipe, device: torch.device) -> Generator[None]:
    """Inside, what ends the training is written down, and says what was saved."""
    try:
        yield
    except Diverged as error:
        archive.finish("diverged", error=error.what)
        raise Diverged(error.what, fix=f"{error.fix}\n{archive.kept()}") from None
    except RunError as error:
        archive.finish("failed", error=error.what)
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(archive.interrupted()) from None
    except (MemoryError, RuntimeError) as error:
        if archive.interruption.asked and not archive.world.alone:
            raise KeyboardInterrupt(archive.interrupted()) from None  # another has left before
        if not is_shortage(error):
            raise
        shortage = _shortage(recipe, device, evaluating=archive.evaluating)
        archive.finish("failed", error=shortage.what)
        raise shortage from None


def training_batches(
    images: ImageSet,
    config: TrainConfig,
    prepare: Prepare,
    augment: AugmentConfig | None = None,
) -> Batches:
    """The shuffled, augmented batches that a training with these settings sees, one per step."""
    changes = Augment(
        augment or AugmentConfig(),
        seed=derive(config.seed, _AUGMENT),
        num_images=len(images),
        num_classes=len(images.class_names),
    )
    return Batches(
        images,
        config.images_per_step,
        prepare,
        shuffle_seed=derive(config.seed, _SHUFFLE),
        augment=changes,
    )


def evaluation_batches(images: ImageSet, config: DataConfig) -> Batches:
    """The images in order, in batches that are smaller the larger the images are."""
    return Batches(images, _evaluation_batch(config), preparation(config))


def _evaluation_batch(config: DataConfig) -> int:
    size = EVALUATION_BATCH * 28**2 // config.image_size**2
    return min(max(size, LEAST_EVALUATION_BATCH), EVALUATION_BATCH)


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
    recipe, chosen = recipe_of(run), choose_device(device)
    config = recipe.data
    if folder is not None:
        config = replace(config, folder=str(folder))
    model = load_model(run, which, device)
    images = load_data(config).test.to(chosen)
    with computed_in(here(recipe.train.precision, chosen), chosen):
        return evaluate(model, evaluation_batches(images, config))


def _test(run: Run, model: nn.Module, batches: Batches, world: World) -> Evaluation:
    logits = predict_logits(model, batches, world)
    labels = batches.data.labels
    arrays = {"labels": labels.cpu().numpy(), "logits": logits.cpu().numpy()}
    if world.rank == 0:
        run.write_arrays("predictions.npz", arrays)
    return measure(logits, labels)


def _shortage(recipe: Recipe, device: torch.device, *, evaluating: bool) -> OutOfMemory:
    if evaluating:
        return evaluation_shortage(_evaluation_batch(recipe.data))
    return training_shortage(recipe, device)
