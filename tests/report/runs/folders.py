"""Run folders made by hand, for tests that need many of them or odd ones."""

from pathlib import Path
from typing import Any

import numpy as np

from convlens.experiment.recipe import resolve
from convlens.runs.store import Run

NUM_IMAGES = 1_000


def make_run(
    folder: Path,
    name: str,
    *,
    accuracy: float | None = 0.9,
    epochs: int = 2,
    md5: str = "0" * 32,
    **settings: Any,
) -> Run:
    """A run of LeNet with these settings of [train], as `execute` leaves it; untested if None."""
    data = settings.pop("data", {})
    run = Run(folder / name)
    run.path.mkdir()
    recipe = resolve("lenet", {"model": {"name": "lenet"}, "data": data, "train": settings})
    run.write_recipe(recipe.to_table())
    run.write_json(
        "provenance.json",
        {
            "started": f"2026-01-01T00:00:{int(name.rpartition('-')[2]):02d}+00:00",
            "command": "convlens train lenet",
            "python": "3.11.7",
            "versions": {"convlens": "0.1.0", "torch": "2.13.0"},
            "commit": "0123456789abcdef-dirty",
            "platform": "Linux",
            "threads": 1,
            "device": "cpu",
            "device_name": "a processor",
            "data_md5": {"t10k-labels": md5},
        },
    )
    run.append_record("FitStarted", {"num_epochs": max(epochs, 1), "steps_per_epoch": 1})
    for epoch in range(1, epochs + 1):
        run.append_record("StepsFinished", {"epoch": epoch, "step": 1, "loss": 1 / epoch})
        run.append_record(
            "Evaluated", {"epoch": epoch, "loss": 1.5 / epoch, "accuracy": 1 - 0.5 / epoch}
        )
        run.append_record(
            "EpochFinished",
            {"epoch": epoch, "loss": 1 / epoch, "seconds": 1.0, "images_per_second": 100.0},
        )
    if accuracy is not None:
        last = {"epoch": epochs, "loss": 0.75, "accuracy": 0.75}
        run.write_json(
            "summary.json",
            {
                "status": "finished",
                "recipe": "lenet",
                "model": "lenet",
                "num_parameters": 61_706,
                "epochs": epochs,
                "validation": {"images": "held-out", "last": last, "best": last},
                "test": {"loss": 0.3, "accuracy": accuracy, "num_images": NUM_IMAGES},
                "train_loss": 0.5,
                "seconds": 10.0 * epochs,
                "images_per_second": 100.0,
            },
        )
    return run


def write_predictions(run: Run, labels: list[int], predicted: list[int]) -> None:
    """The run says `predicted` of images of these classes, the later ones more surely."""
    logits = np.zeros((len(labels), 10), dtype=np.float32)
    logits[np.arange(len(labels)), predicted] = np.linspace(1, 9, len(labels))
    run.write_arrays("predictions.npz", {"labels": np.array(labels), "logits": logits})
