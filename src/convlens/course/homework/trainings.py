"""Trainings: the four networks that the notebook trained, in two editions.

The full edition is the book's: its sizes, its ten epochs. The quick one trains both LeNets in
full, which takes a minute each on two cores, and of the large networks only some steps, on images
of 28 pixels (32 for VGG-11, which halves its maps five times). VGG-11, which has no norms, does not
leave chance within so few steps of the book's plain descent, so there it starts by Kaiming's rule
and has momentum and a rate that rises and falls.

Source: d2l 7.6, 8.2 and 8.6; the published accuracies are the last points of the curves of d2l's
1.0 edition, one run each, on a GPU.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from convlens.core.errors import ConvLensError
from convlens.data.own.load import home_opened
from convlens.experiment.execute import execute, recipe_of
from convlens.experiment.recipe import Recipe, load_recipe
from convlens.experiment.resume import resume_run
from convlens.runs.store import Run, list_runs
from convlens.train.events import Listener

Edition = Literal["quick", "full"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Training:
    """One network that the notebook trained."""

    name: str  # of its run folders
    section: str  # of the book
    title: str
    recipe: str  # a shipped one, the book's
    settings: tuple[str, ...] = ()  # what is other than in it
    quick_settings: tuple[str, ...] = ()  # and in the quick edition besides
    published: float | None = None  # test accuracy on the book's page; None: it shows none
    expected: tuple[float, float]  # of the full edition's test accuracy
    quick_expected: tuple[float, float] | None = None  # of the quick one's; None: as the full

    def recipe_for(self, edition: Edition, *, seed: int = 0, folder: Path | None = None) -> Recipe:
        """The recipe of an edition."""
        settings = [*self.settings, *(self.quick_settings if edition == "quick" else ())]
        settings.append(f"train.seed={seed}")
        recipe = load_recipe(self.recipe, settings)
        if folder is not None:
            place = home_opened(str(folder)).absolute()  # as a run keeps it
            recipe = replace(recipe, data=replace(recipe.data, folder=str(place)))
        return replace(recipe, name=self.name)

    def expected_in(self, edition: Edition) -> tuple[float, float]:
        """From which to which test accuracy an edition is as it should be."""
        return (edition == "quick" and self.quick_expected) or self.expected


@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """A training that has ended."""

    training: Training
    edition: Edition
    run: Run
    kept: bool  # it was finished before, and not made again

    @property
    def accuracy(self) -> float:
        """On the test images."""
        return float(self.run.summary()["test"]["accuracy"])

    @property
    def agrees(self) -> bool:
        """Whether the test accuracy is where it should be."""
        low, high = self.training.expected_in(self.edition)
        return low <= self.accuracy <= high

    @property
    def what(self) -> str:
        """What was trained on what, in words."""
        recipe, (started, *_) = recipe_of(self.run), self.run.records()
        size, train = recipe.data.image_size, recipe.train
        epochs = f"{train.epochs} epoch{'s' if train.epochs > 1 else ''}"
        schedule = "" if train.schedule == "constant" else f" ({train.schedule})"
        momentum = f", momentum {train.momentum:g}" if train.momentum else ""
        return (
            f"{epochs} of {started['steps_per_epoch']} steps of {train.batch_size} images at "
            f"{size}x{size}, {recipe.model.init} start, learning rate {train.lr:g}{schedule}"
            f"{momentum}"
        )


TRAININGS = (
    Training(
        name="lenet",
        section="7.6",
        title="LeNet",
        recipe="lenet",
        published=0.728,
        expected=(0.70, 0.77),
    ),
    Training(
        name="lenet-relu-max",
        section="7.6",
        title="LeNet with ReLU and max pooling",
        recipe="lenet",
        settings=("model.activation=relu", "model.pooling=max"),
        expected=(0.86, 0.91),
    ),
    Training(
        name="vgg11-slim",
        section="8.2",
        title="slim VGG-11",
        recipe="vgg11-slim",
        quick_settings=(
            "data.image_size=32", "data.max_train_images=25600", "train.epochs=1",
            "train.lr=0.02", "train.momentum=0.9", "train.schedule=one-cycle",
            "train.log_every=10", "model.init=kaiming",
        ),
        published=0.896,
        expected=(0.86, 0.94),
        quick_expected=(0.5, 0.94),
    ),
    Training(
        name="resnet18-d2l",
        section="8.6",
        title="ResNet-18",
        recipe="resnet18-d2l",
        quick_settings=(
            "data.image_size=28", "data.max_train_images=7680", "train.epochs=1",
            "train.log_every=5",
        ),
        published=0.903,
        expected=(0.86, 0.94),
        quick_expected=(0.5, 0.94),
    ),
)  # fmt: skip


def train_or_continue(
    training: Training, recipe: Recipe, edition: Edition, out: Path, listeners: Sequence[Listener]
) -> Trained:
    """The training by `recipe`: as it lies in `out` if finished, else continued or begun.

    Raises:
        DataError: the data cannot be used.
        Diverged: the loss is no longer finite.
    """
    earlier = found(recipe, out)
    status = None if earlier is None else earlier.summary()["status"]
    if earlier is not None and status == "finished":
        return Trained(training=training, edition=edition, run=earlier, kept=True)
    if earlier is not None and status != "diverged":
        run = resume_run(earlier, listeners=listeners)
    else:
        run = execute(recipe, out=out, listeners=listeners)
    return Trained(training=training, edition=edition, run=run, kept=False)


def found(recipe: Recipe, out: Path) -> Run | None:
    """The newest run of `recipe` in `out`, finished or not."""
    runs = [run for run in list_runs(out) if run.name.rpartition("-")[0] == recipe.name]
    return next((run for run in reversed(runs) if _is_of(run, recipe)), None)


def _is_of(run: Run, recipe: Recipe) -> bool:
    try:
        return recipe_of(run) == recipe
    except ConvLensError:  # of another version, or damaged
        return False
