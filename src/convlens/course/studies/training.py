"""Training: a network trained for an experiment, by the book's recipe.

A quick setup takes the first images of the training set and few epochs, a full one all of them.
All test images, or the first of them, are seen once, after the training; nothing is chosen by them.

Source: d2l 7.6 (SGD, learning rate 0.1, batches of 128, Xavier weights).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import final

from torch import nn

from convlens.core.seed import derive, reproducible
from convlens.course.study import Setup
from convlens.data.batches import Batches
from convlens.data.catalog import DataConfig, load_data
from convlens.data.image_set import DataSet
from convlens.data.transform import Prepare
from convlens.experiment.execute import EVALUATION_BATCH, training_batches
from convlens.train.evaluate import Evaluation, evaluate
from convlens.train.events import Event, FitFinished
from convlens.train.loop import fit
from convlens.train.optim import TrainConfig, choose_device

PREPARE = Prepare(28)
WATCHED = 100  # training images that the loop evaluates after an epoch; nobody looks at them


@final
@dataclass(frozen=True, slots=True)
class Effort:
    """How much is trained and tested."""

    num_images: int  # the first of the training set
    epochs: int
    num_test_images: int = 10_000  # the first of the test set


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Trained:
    """A network after its training."""

    model: nn.Module
    test: Evaluation
    seconds: float  # of the training
    ran: str  # what was done, in words


def load(setup: Setup) -> DataSet:
    """The data set, from the folder of `setup` if there is one.

    Raises:
        ConfigError: the folder is in no one's home.
        DataError: its files cannot be used.
    """
    folder = None if setup.folder is None else str(setup.folder)
    return load_data(DataConfig(folder=folder))


def train(make: Callable[[], nn.Module], data: DataSet, effort: Effort, seed: int) -> Trained:
    """The network of `make`, its weights drawn by `seed`, trained on the data set."""
    device = choose_device("auto")
    images = data.train[: effort.num_images].to(device)
    test = Batches(data.test[: effort.num_test_images].to(device), EVALUATION_BATCH, PREPARE)
    config = TrainConfig(epochs=effort.epochs, lr=0.1, batch_size=128, seed=seed)
    ends: list[FitFinished] = []

    def listen(event: Event) -> None:
        if isinstance(event, FitFinished):
            ends.append(event)

    with reproducible(derive(seed, 0)):
        model = make().to(device)
        watched = Batches(images[:WATCHED], WATCHED, PREPARE)
        fit(model, training_batches(images, config, PREPARE), watched, config, listeners=[listen])
    evaluation = evaluate(model, test)
    return Trained(
        model=model,
        test=evaluation,
        seconds=ends[0].seconds,
        ran=f"{effort.epochs} epochs on {len(images):,} training images (learning rate 0.1, "
        f"batches of 128, seed {seed}, {device.type}), then {evaluation.num_images:,} test images",
    )
