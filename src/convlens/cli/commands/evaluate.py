"""`convlens evaluate`: a run's weights on the test images."""

from convlens.cli import options
from convlens.cli.console import percent, print_json, print_pairs


def evaluate(
    run: options.RunName,
    weights: options.Weights = "last",
    folder: options.DataFolder = None,
    device: options.Device = "auto",
    out: options.Out = options.RUNS,
    as_json: options.Json = False,
) -> None:
    """Test a run's weights: mean loss and accuracy over all test images, exactly.

    \b
    Examples:
      convlens evaluate lenet-modern-1
      convlens evaluate lenet-modern-1 --weights best --json
      convlens evaluate runs/lenet-1 --folder my-fashion-mnist
    """
    from convlens.data.catalog import nature
    from convlens.experiment.execute import evaluate_run, recipe_of
    from convlens.runs.store import open_run

    opened = open_run(run, out)
    class_names = nature(recipe_of(opened).data).class_names
    result = evaluate_run(opened, which=weights, folder=folder, device=device)
    if as_json:
        print_json(
            {
                "run": str(opened.path),
                "weights": weights,
                "loss": result.loss,
                "accuracy": result.accuracy,
                "num_correct": result.num_correct,
                "num_images": result.num_images,
                "classes": list(class_names),
                "seconds": result.seconds,
            }
        )
        return
    print_pairs(
        {
            "run": f"{opened.path}, {weights} weights",
            "test accuracy": f"{percent(result.accuracy)} "
            f"({result.num_correct:,} of {result.num_images:,})",
            "test loss": f"{result.loss:.4f}",
            "classes": _some(class_names),
            "images/s": f"{result.num_images / result.seconds:,.0f}",
        }
    )


def _some(names: tuple[str, ...], shown: int = 10) -> str:
    more = f", and {len(names) - shown} more" if len(names) > shown else ""
    return f"{len(names)}: {', '.join(names[:shown])}{more}"
