"""Section 7.6: LeNet trained both ways, and what it makes of noise.

Both experiments train: quickly on the first 12,800 training images, fully on all 60,000 for ten
epochs. They test on the 10,000 test images, and choose nothing by them.

Source: d2l 7.6, exercises 1 and 5.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from convlens.core.seed import derive, reproducible
from convlens.course.study import Finding, Setup, Study
from convlens.data.batches import Batches
from convlens.data.catalog import load_data
from convlens.data.config import DataConfig
from convlens.data.image_set import ImageSet
from convlens.experiment.execute import EVALUATION_BATCH, preparation, training_batches
from convlens.models.catalog import build, configure
from convlens.train.evaluate import Evaluation, evaluate, evaluating
from convlens.train.loop import fit
from convlens.train.optim import TrainConfig

QUICK_IMAGES, QUICK_EPOCHS = 12_800, 4
NOISES = 1_000  # images of noise of each kind
# The share of one class from which answers have structure: of ten classes given at random to 1,000
# images each has 0.1, give or take 0.01.
STRUCTURED = 0.2


@dataclass(frozen=True, slots=True)
class Trained:
    """A network, how it did on the test images, and what it was trained with."""

    model: nn.Module
    evaluation: Evaluation
    num_images: int
    num_epochs: int
    test: ImageSet


def train(model_name: str, setup: Setup, *, folder: Path | None = None) -> Trained:
    """The book's recipe of 7.6: Xavier, SGD with rate 0.1, batches of 128."""
    config = DataConfig(folder=None if folder is None else str(folder))
    data = load_data(config)
    images = data.train[: QUICK_IMAGES if setup.quick else len(data.train)]
    epochs = QUICK_EPOCHS if setup.quick else 10
    settings = TrainConfig(epochs=epochs, batch_size=128, lr=0.1, seed=setup.seed)
    prepare = preparation(config)
    test = Batches(data.test, EVALUATION_BATCH, prepare)
    with reproducible(derive(setup.seed, 0)):
        model = build(model_name, configure(model_name, {"init": "xavier"}))
        fit(model, training_batches(images, settings, prepare), test, settings)
    return Trained(model, evaluate(model, test), len(images), epochs, data.test)


def modern(setup: Setup, *, folder: Path | None = None) -> Finding:
    """LeNet with ReLU and max pooling against sigmoid and average pooling, all else equal."""
    book, changed = (train(name, setup, folder=folder) for name in ("lenet", "lenet-modern"))
    before, after = book.evaluation.accuracy, changed.evaluation.accuracy
    return Finding(
        numbers={
            "training images": book.num_images,
            "epochs": book.num_epochs,
            "test accuracy, sigmoid and average": before,
            "test accuracy, ReLU and maximum": after,
        },
        text=f"After {book.num_epochs} epochs on {book.num_images:,} images, {after:.2%} instead "
        f"of {before:.2%} of the {book.evaluation.num_images:,} test images are right (one seed).",
        holds=after > before + 0.05,
    )


def noise(setup: Setup, *, folder: Path | None = None) -> Finding:
    """What a trained LeNet calls pictures of nothing, and how sure it is."""
    trained = train("lenet-modern", setup, folder=folder)
    generator = torch.Generator().manual_seed(setup.seed)
    shape = (NOISES, 1, 28, 28)
    pictures = {
        "test images": trained.test.images[:NOISES].float() / 255,
        "uniform noise": torch.rand(shape, generator=generator),
        "normal noise": torch.randn(shape, generator=generator),
        "a black picture": torch.zeros(1, 1, 28, 28),
    }
    numbers: dict[str, int | float | str] = {"training images": trained.num_images}
    shares: dict[str, float] = {}
    for kind, x in pictures.items():
        name, shares[kind], confidence = _judge(trained.model, x, trained.test.class_names)
        numbers[f"{kind}: most frequent class"] = name
        numbers[f"{kind}: its share"] = shares[kind]
        numbers[f"{kind}: mean confidence"] = confidence
    called, share = numbers["uniform noise: most frequent class"], shares["uniform noise"]
    return Finding(
        numbers=numbers,
        text=f"{share:.0%} of {NOISES:,} pictures of uniform noise are called {called!r}, with a "
        f"mean confidence of {numbers['uniform noise: mean confidence']:.2f}; of test images the "
        f"most frequent class has {shares['test images']:.0%}. Noise does not give random answers.",
        holds=min(share, shares["normal noise"]) > STRUCTURED,
    )


def _judge(model: nn.Module, x: Tensor, names: tuple[str, ...]) -> tuple[str, float, float]:
    """The most frequent class, its share, and the mean probability of the chosen classes."""
    with evaluating(model):
        confidence, chosen = model(x).softmax(1).max(1)
    counts = torch.bincount(chosen, minlength=len(names))
    return names[int(counts.argmax())], int(counts.max()) / len(x), float(confidence.mean())


STUDIES = (
    Study(
        name="7.6-modern",
        question="What do max pooling and ReLU do for LeNet?",
        notebook="They make it better; no number.",
        verdict="right",
        answer="At the same cost it learns much faster and ends far better: the sigmoid's slopes "
        "are so small that nothing moves for the first epochs.",
        experiment=modern,
    ),
    Study(
        name="7.6-noise",
        question="What does a trained LeNet answer on pictures that are nothing like its data?",
        notebook="Activations change; noise gives random output without structure.",
        verdict="partly",
        answer="Softmax must choose, and it chooses with structure: noise is given one of the ten "
        "classes far more often than the others, at times with confidence.",
        experiment=noise,
    ),
)
