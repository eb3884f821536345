"""`convlens train`: a recipe into a run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.cli import options
from convlens.cli.console import fail, percent, print_json, print_table, say
from convlens.cli.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from convlens.runs.store import Run

DEFAULT_RECIPE = "lenet-modern"


def train(
    recipe: Annotated[
        str, typer.Argument(help="A recipe's name, or the path of a .toml file.")
    ] = DEFAULT_RECIPE,
    *,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            help="Instead of the recipe's: a data set's name, a folder with one folder of "
            "pictures per class, or a .csv of path,label.",
        ),
    ] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training images.")] = None,
    lr: Annotated[float | None, typer.Option(help="The learning rate.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per step.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of initial weights and shuffling.")] = None,
    out: options.Out = options.RUNS,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any setting, as in train.momentum=0.9."),
    ] = None,
    as_json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a recipe, test it once, and keep everything in a run folder.

    \b
    Examples:
      convlens train
      convlens train lenet --epochs 3 --seed 1
      convlens train lenet --set model.activation=relu --set train.momentum=0.9
      convlens train my-recipe.toml --json > result.json
      convlens train --data photos
    """
    from convlens.cli.downloads import download
    from convlens.cli.progress import progress
    from convlens.data.catalog import DATA_SETS
    from convlens.experiment.execute import execute
    from convlens.experiment.recipe import load_recipe

    named = {"epochs": epochs, "lr": lr, "batch_size": batch_size, "device": device, "seed": seed}
    flags = [f"train.{key}={value}" for key, value in named.items() if value is not None]
    elsewhere = any(assignment.startswith("data.folder=") for assignment in assignments or [])
    if data is not None and data in DATA_SETS and not elsewhere:
        download(data, as_json=as_json, quiet=quiet)
    chosen = load_recipe(recipe, [*(assignments or []), *flags], data=data)
    if chosen.data.folder is None:
        download(chosen.data.name, as_json=as_json, quiet=quiet)
    for note in () if quiet or as_json else chosen.notes:
        say(f"note: {note}")
    try:
        with progress(as_json=as_json, quiet=quiet) as listeners:
            run = execute(chosen, out=out, listeners=listeners)
    except KeyboardInterrupt as stop:
        fail("interrupted", str(stop))
        raise typer.Exit(INTERRUPTED) from None
    _show(run, as_json=as_json)


def _show(run: "Run", *, as_json: bool) -> None:
    from convlens.report.figures import save_curves

    save_curves(run)
    summary = run.summary()
    if as_json:
        print_json({"run": str(run.path), **summary})
        return
    print_table(
        ["epochs", "train loss", "validation accuracy", "test accuracy", "seconds", "images/s"],
        [_row(summary)],
        title=f"{run.name}: {summary['model']}, {summary['num_parameters']:,} parameters",
    )
    if summary["validation"]["images"] == "test":
        say("validated on the test images, as the book does")
    print(f"run folder: {run.path}")
    command = f"convlens runs show {run.name}"
    if run.path.parent != Path(options.RUNS):
        command += f" --out {run.path.parent}"
    print(f"next:       {command}")


def _row(summary: dict[str, Any]) -> list[str]:
    return [
        str(summary["epochs"]),
        f"{summary['train_loss']:.4f}",
        percent(summary["validation"]["last"]["accuracy"]),
        percent(summary["test"]["accuracy"]),
        f"{summary['seconds']:.1f}",
        f"{summary['images_per_second']:,.0f}",
    ]
