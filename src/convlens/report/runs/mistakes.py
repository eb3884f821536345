"""Mistakes: which classes a run takes for which, and where it was surest and wrong.

All of it comes from `predictions.npz`, the labels and logits of the test images as they were
when the run was tested; the images themselves are read only to be looked at.
"""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from convlens.core.errors import RunError
from convlens.data.image_set import ImageSet
from convlens.runs.store import Run

READABLE = 20  # classes whose counts can be read inside the picture
NAMED = 50  # classes whose names can stand beside it


@dataclass(frozen=True, slots=True)
class Predictions:
    """What a run said of each test image, in the order of the test set."""

    labels: NDArray[np.int64]  # the true classes
    probabilities: NDArray[np.float64]  # an image per row, a class per column; rows sum to 1

    @property
    def predicted(self) -> NDArray[np.int64]:
        """The most probable class of each image."""
        return self.probabilities.argmax(axis=1)

    @property
    def num_classes(self) -> int:
        """How many classes there are to choose from."""
        return self.probabilities.shape[1]

    def confusion(self) -> NDArray[np.int64]:
        """How many images of the class of the row were taken for the class of the column."""
        counts = np.zeros((self.num_classes, self.num_classes), dtype=np.int64)
        np.add.at(counts, (self.labels, self.predicted), 1)
        return counts

    def worst(self, most: int) -> list["Mistake"]:
        """The wrong answers that were given with the highest probability, the surest first."""
        wrong = np.flatnonzero(self.predicted != self.labels)
        sure = self.probabilities[wrong, self.predicted[wrong]]
        chosen = wrong[np.argsort(-sure, kind="stable")][:most]
        return [
            Mistake(
                index=int(index),
                label=int(self.labels[index]),
                predicted=int(self.predicted[index]),
                probability=float(self.probabilities[index].max()),
                of_label=float(self.probabilities[index, self.labels[index]]),
            )
            for index in chosen
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mistake:
    """One image taken for what it is not."""

    index: int  # in the test set, from 0
    label: int  # the true class
    predicted: int
    probability: float  # of the predicted class
    of_label: float  # of the true class


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassScore:
    """One class: how many of it were found, and how many of the found are it."""

    label: int
    num_images: int
    num_correct: int
    recall: float | None  # found, of the images of this class; None where there is none
    precision: float | None  # right, of the images taken for this class; None if none was
    taken_for: int | None  # the other class that its images were taken for most often
    num_taken: int  # how often


def read_predictions(run: Run) -> Predictions | None:
    """What `run` said of the test images; None if it was never tested.

    Raises:
        RunError: predictions.npz is damaged.
    """
    path = run.path / "predictions.npz"
    if not path.exists():
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            labels, logits = arrays["labels"], arrays["logits"]
        return predictions(labels.astype(np.int64), logits.astype(np.float64))
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise RunError(
            f"{path}: not labels and logits: {error}",
            fix=f"test again: convlens evaluate {run.name}",
        ) from None


def predictions(labels: NDArray[np.int64], logits: NDArray[np.float64]) -> Predictions:
    """The probabilities of these logits, beside the true classes.

    >>> found = predictions(np.array([1]), np.array([[0.0, np.log(3.0)]]))
    >>> found.probabilities.round(4).tolist()
    [[0.25, 0.75]]
    """
    if logits.ndim != 2 or labels.shape != logits.shape[:1]:
        raise ValueError(f"{labels.shape} labels for {logits.shape} logits")
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return Predictions(labels, powers / powers.sum(axis=1, keepdims=True))


def scores(confusion: NDArray[np.int64]) -> list[ClassScore]:
    """Recall and precision of each class.

    >>> [(score.recall, score.precision) for score in scores(np.array([[3, 1], [0, 0]]))]
    [(0.75, 1.0), (None, 0.0)]
    """
    found: list[ClassScore] = []
    for label, row in enumerate(confusion):
        right, images, taken = int(row[label]), int(row.sum()), int(confusion[:, label].sum())
        others = row.copy()
        others[label] = 0
        most = int(others.argmax())
        found.append(
            ClassScore(
                label=label,
                num_images=images,
                num_correct=right,
                recall=right / images if images else None,
                precision=right / taken if taken else None,
                taken_for=most if others[most] else None,
                num_taken=int(others[most]),
            )
        )
    return found


def draw_confusion(confusion: NDArray[np.int64], names: Sequence[str]) -> Figure:
    """The counts as a square: true classes down, predicted ones across, darker for more.

    The shade is the share of the true class, so that rare classes are seen too.
    """
    n = len(names)
    size = min(max(3.6, 1.7 + 0.55 * n), 9.5)
    figure = Figure(figsize=(size, size), layout="constrained")
    axes = figure.add_subplot()
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if n <= READABLE:
        for (row, column), count in np.ndenumerate(confusion):
            shade = "white" if shares[row, column] > 0.5 else "black"
            label = f"{count:,}" if count else "·"
            axes.text(column, row, label, ha="center", va="center", fontsize=8, color=shade)
    if n <= NAMED:
        axes.set_xticks(range(n), names, rotation=45, ha="right", parse_math=False)
        axes.set_yticks(range(n), names, parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    return figure


def draw_mistakes(mistakes: Sequence[Mistake], images: ImageSet, *, columns: int = 6) -> Figure:
    """A sheet of the images of `mistakes`: true class, and below it what it was taken for."""
    rows = -(-len(mistakes) // columns)
    figure = Figure(figsize=(1.3 * columns, 1.75 * rows), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels:
        axes.set_axis_off()
    names = images.class_names
    for axes, mistake in zip(panels, mistakes, strict=False):
        pixels = images.images[mistake.index].permute(1, 2, 0).squeeze(2).cpu().numpy()
        axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axes.set_title(
            f"{names[mistake.label]}\nas {names[mistake.predicted]}\n"
            f"{100 * mistake.probability:.1f} %",
            fontsize=8,
            parse_math=False,
        )
    return figure


def same_images(found: Predictions, images: ImageSet) -> bool:
    """Whether these can be the images that were predicted: as many, of the same classes."""
    return np.array_equal(images.labels.cpu().numpy(), found.labels) and found.num_classes == len(
        images.class_names
    )
