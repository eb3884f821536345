"""`convlens train`: a recipe into a run folder."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.cli import options
from convlens.cli.console import fail, percent, print_json, print_table, say
from convlens.cli.exit_codes import INTERRUPTED

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from convlens.experiment.loggers.logger import Logger
    from convlens.runs.store import Run
    from convlens.train.events import Listener

    Training = Callable[[Sequence[Listener]], Run]

DEFAULT_RECIPE = "lenet-modern"
_RECIPE = typer.Argument(
    help=f"A recipe's name, or the path of a .toml file. [default: {DEFAULT_RECIPE}]"
)
_DATA = typer.Option(
    "--data",
    help="Instead of the recipe's: a data set's name, a folder with one folder of pictures per "
    "class, or a .csv of path,label.",
)
_LOG = typer.Option(
    "--log",
    metavar="NAME[=PLACE]",
    help="Also keep the curves as csv, tensorboard[=FOLDER] or mlflow[=FILE or URL]; repeatable.",
)

_VALIDATED = {
    "test": "validated on the test images, as the book does",
    "none": "not validated: all training images were trained on",
}


def train(
    recipe: Annotated[str | None, _RECIPE] = None,
    *,
    data: Annotated[str | None, _DATA] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training images.")] = None,
    lr: Annotated[float | None, typer.Option(help="The learning rate.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Images per step.")] = None,
    device: Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1, mps or auto.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of initial weights and shuffling.")] = None,
    time_limit: Annotated[
        float | None, typer.Option(help="Seconds of training; it ends after the step.")
    ] = None,
    out: options.Out = options.RUNS,
    resume: Annotated[
        str | None, typer.Option(metavar="RUN", help="Go on with a run that was stopped or killed.")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any setting, as in train.momentum=0.9."),
    ] = None,
    log: Annotated[list[str] | None, _LOG] = None,
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
      convlens train --log csv --log tensorboard
      convlens train --resume lenet-modern-1

    Ctrl-C once finishes the step, saves and says how to go on; twice stops at once.
    """
    from convlens.cli.progress import progress
    from convlens.experiment.loggers.catalog import make_loggers
    from convlens.train.machine.contention import note_now

    named = {
        "epochs": epochs,
        "lr": lr,
        "batch_size": batch_size,
        "device": device,
        "seed": seed,
        "time_limit": time_limit,
    }
    flags = [f"train.{key}={value}" for key, value in named.items() if value is not None]
    settings = [*(assignments or []), *flags]
    loggers = make_loggers(log or ())
    if resume is None:
        start = _begin(recipe, settings, data, out, as_json=as_json, quiet=quiet)
    else:
        start, remembered = _go_on(resume, recipe, settings, data, out)
        loggers = loggers or remembered()
    if not (quiet or as_json) and (note := note_now()):
        say(f"note: {note}")
    try:
        with progress(as_json=as_json, quiet=quiet) as listeners:
            run = start([*listeners, *loggers])
    except KeyboardInterrupt as stop:
        fail("interrupted", str(stop))
        raise typer.Exit(INTERRUPTED) from None
    _show(run, loggers, as_json=as_json)


def _begin(
    recipe: str | None,
    settings: list[str],
    data: str | None,
    out: Path,
    *,
    as_json: bool,
    quiet: bool,
) -> "Training":
    from convlens.cli.downloads import download
    from convlens.cli.reading import reading
    from convlens.data.catalog import DATA_SETS
    from convlens.experiment.execute import execute
    from convlens.experiment.recipe import load_recipe

    elsewhere = any(setting.startswith("data.folder=") for setting in settings)
    if data is not None and data in DATA_SETS and not elsewhere:
        download(data, as_json=as_json, quiet=quiet)
    with reading(as_json=as_json, quiet=quiet):
        chosen = load_recipe(recipe or DEFAULT_RECIPE, settings, data=data)
    if chosen.data.folder is None:
        download(chosen.data.name, as_json=as_json, quiet=quiet)
    for note in () if quiet or as_json else chosen.notes:
        say(f"note: {note}")
    return lambda listeners: execute(chosen, out=out, listeners=listeners)


def _go_on(
    name: str, recipe: str | None, settings: list[str], data: str | None, out: Path
) -> "tuple[Training, Callable[[], list[Logger]]]":
    from convlens.core.errors import ConfigError
    from convlens.experiment.loggers.catalog import remembered_loggers
    from convlens.experiment.resume import refuse_other_settings, resume_run
    from convlens.runs.store import open_run

    run = open_run(name, out)
    if recipe is not None:
        raise ConfigError(
            f"{name} goes on by its own recipe, not by {recipe!r}",
            fix=f"leave {recipe!r} out: convlens train --resume {name}",
        )
    if data is not None:
        raise ConfigError(
            f"{name} goes on with its own images, not with {data!r}",
            fix=f"leave --data out: convlens train --resume {name}",
        )
    refuse_other_settings(run, settings)
    return lambda listeners: resume_run(run, listeners=listeners), lambda: remembered_loggers(run)


def _show(run: "Run", loggers: "Sequence[Logger]", *, as_json: bool) -> None:
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
    if summary["stopped"]:
        print(f"stopped early: {summary['stopped']}")
    if note := _VALIDATED.get(summary["validation"]["images"]):
        say(note)
    print(f"run folder: {run.path}")
    for logger in loggers:
        print(f"log:        {logger.how_to_look(run)}")
    command = f"convlens runs show {run.name}"
    if run.path.parent != Path(options.RUNS):
        command += f" --out {run.path.parent}"
    print(f"next:       {command}")


def _row(summary: dict[str, Any]) -> list[str]:
    return [
        str(summary["epochs"]),
        f"{summary['train_loss']:.4f}",
        percent((summary["validation"]["last"] or {}).get("accuracy")),
        percent(summary["test"]["accuracy"]),
        f"{summary['seconds']:.1f}",
        f"{summary['images_per_second']:,.0f}",
    ]
