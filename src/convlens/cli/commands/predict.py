"""`convlens predict`: what a trained network sees in picture files."""

from pathlib import Path
from typing import Annotated

import typer

from convlens.cli import options
from convlens.cli.console import percent, print_json


def predict(
    run: options.RunName,
    images: Annotated[list[Path], typer.Argument(help="Picture files, of any kind and size.")],
    top: Annotated[int, typer.Option(min=1, help="How many classes to show.")] = 3,
    weights: options.Weights = "last",
    device: options.Device = "auto",
    out: options.Out = options.RUNS,
    as_json: options.Json = False,
) -> None:
    """Class probabilities for pictures; each is converted as the training images were.

    \b
    Examples:
      convlens predict lenet-modern-1 shoe.jpg
      convlens predict lenet-modern-1 *.png --top 10 --json
    """
    from convlens.experiment.predict import predict_pictures
    from convlens.runs.store import open_run

    opened = open_run(run, out)
    predictions = predict_pictures(opened, images, which=weights, device=device)
    if as_json:
        print_json(
            {
                "run": str(opened.path),
                "weights": weights,
                "predictions": [
                    {
                        "image": str(prediction.path),
                        "notes": list(prediction.notes),
                        "probabilities": dict(prediction.ranked()),
                    }
                    for prediction in predictions
                ],
            }
        )
        return
    for prediction in predictions:
        print(prediction.path)
        for name, probability in prediction.ranked()[:top]:
            print(f"  {percent(probability):>8}  {name}")
        for note in prediction.notes:
            print(f"  note: {note}")
