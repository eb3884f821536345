"""`convlens evaluate`: a run's weights on the test images."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.cli import options
from convlens.cli.console import percent, print_json, print_pairs, print_table
from convlens.core.errors import ConfigError

if TYPE_CHECKING:
    from convlens.report.runs.mistakes import ClassScore
    from convlens.train.evaluate import Evaluation


def evaluate(
    run: options.RunName,
    weights: options.Weights = "last",
    folder: options.DataFolder = None,
    device: options.Device = "auto",
    out: options.Out = options.RUNS,
    tta: Annotated[
        str | None,
        typer.Option(help="Average over views of each image, too: mirror or mirror-shift."),
    ] = None,
    tta_share: Annotated[
        float | None,
        typer.Option(help="Of the images, the least confident first.  [default: 1, all]"),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Test a run's weights: loss and accuracy over all test images, and class by class.

    \b
    Examples:
      convlens evaluate lenet-modern-1
      convlens evaluate lenet-modern-1 --weights best --json
      convlens evaluate runs/lenet-1 --folder my-fashion-mnist
      convlens evaluate lenet-modern-1 --tta mirror --tta-share 0.25

    The table of classes says how many images of each there are, how many were found, and for
    which other class they were taken most often. With --tta a second accuracy, that of averaged
    logits, stands beside the plain one.
    """
    from convlens.data.catalog import nature
    from convlens.experiment.execute import evaluate_run, recipe_of
    from convlens.experiment.views import evaluate_views
    from convlens.report.runs.mistakes import scores
    from convlens.runs.store import open_run

    opened = open_run(run, out)
    class_names = nature(recipe_of(opened).data).class_names
    if tta is None:
        if tta_share is not None:
            raise ConfigError("--tta-share goes with --tta", fix="add --tta mirror")
        plain, averaged = evaluate_run(opened, which=weights, folder=folder, device=device), None
    else:
        share = 1.0 if tta_share is None else tta_share
        plain, averaged = evaluate_views(
            opened, tta, share=share, which=weights, folder=folder, device=device
        )
    by_class = scores(plain.confusion.numpy())
    if as_json:
        content = {"run": str(opened.path), "weights": weights, **_content(plain)}
        content["classes"] = list(class_names)
        content["by_class"] = [_class_content(score, class_names) for score in by_class]
        if averaged is not None:
            share = 1.0 if tta_share is None else tta_share
            content["tta"] = {"views": tta, "share": share, **_content(averaged)}
        print_json(content)
        return
    classes = {"classes": _some(class_names)}
    print_pairs({"run": f"{opened.path}, {weights} weights", **_pairs(plain), **classes})
    if averaged is not None:
        of = "" if tta_share is None else f", least confident {100 * tta_share:g} % of the images"
        print_pairs({"averaged over": f"{tta}{of}", **_pairs(averaged)})
    columns = ["class", "images", "right", "accuracy", "most often taken for"]
    print_table(columns, [_class_row(score, class_names) for score in by_class])


def _some(names: tuple[str, ...], shown: int = 10) -> str:
    more = f", and {len(names) - shown} more" if len(names) > shown else ""
    return f"{len(names)}: {', '.join(names[:shown])}{more}"


def _content(result: "Evaluation") -> dict[str, Any]:
    return {
        "loss": result.loss,
        "accuracy": result.accuracy,
        "num_correct": result.num_correct,
        "num_images": result.num_images,
        "seconds": result.seconds,
    }


def _class_content(score: "ClassScore", names: tuple[str, ...]) -> dict[str, Any]:
    return {
        "class": names[score.label],
        "num_images": score.num_images,
        "num_correct": score.num_correct,
        "accuracy": score.recall,
        "precision": score.precision,
        "taken_for": None if score.taken_for is None else names[score.taken_for],
        "num_taken": score.num_taken,
    }


def _class_row(score: "ClassScore", names: tuple[str, ...]) -> list[str]:
    taken = "-" if score.taken_for is None else f"{names[score.taken_for]} ({score.num_taken:,})"
    return [
        names[score.label],
        f"{score.num_images:,}",
        f"{score.num_correct:,}",
        percent(score.recall),
        taken,
    ]


def _pairs(result: "Evaluation") -> dict[str, str]:
    return {
        "test accuracy": f"{percent(result.accuracy)} "
        f"({result.num_correct:,} of {result.num_images:,})",
        "test loss": f"{result.loss:.4f}",
        "images/s": f"{result.num_images / result.seconds:,.0f}",
    }
