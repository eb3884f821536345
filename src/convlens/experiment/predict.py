"""Pictures through the network of a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from convlens.data.catalog import nature
from convlens.data.picture import read_picture
from convlens.experiment.execute import load_model, preparation, recipe_of
from convlens.runs.store import Run
from convlens.train.evaluate import evaluating


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a network makes of one picture."""

    path: Path
    probabilities: dict[str, float]  # by class name, in the data set's order; they sum to 1
    notes: tuple[str, ...]  # how the picture was converted

    def ranked(self) -> list[tuple[str, float]]:
        """The classes, the most probable first."""
        return sorted(self.probabilities.items(), key=lambda pair: -pair[1])


def predict_pictures(
    run: Run, paths: Sequence[Path], *, which: str = "last", device: str = "auto"
) -> list[Prediction]:
    """The class probabilities of each picture file, converted as the run's data set is.

    Raises:
        RunError: the run has no such weights.
        DataError: a file is missing or not a picture; nothing is predicted then.
    """
    config = recipe_of(run).data
    known = nature(config)
    model = load_model(run, which, device)
    pictures = [
        read_picture(
            path,
            channels=known.channels,
            size=config.image_size,
            light_on_dark=known.light_on_dark,
            fit=known.fit,
        )
        for path in paths
    ]
    pixels = torch.stack([picture.pixels for picture in pictures])
    pixels = pixels.to(next(model.parameters()).device)
    with evaluating(model):
        probabilities = model(preparation(config)(pixels)).double().softmax(1).tolist()
    return [
        Prediction(path, dict(zip(known.class_names, row, strict=True)), picture.notes)
        for path, picture, row in zip(paths, pictures, probabilities, strict=True)
    ]
