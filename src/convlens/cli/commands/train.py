"""`convlens train`: a recipe into a run folder."""

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, final

import typer

from convlens.cli import options
from convlens.cli.console import fail, percent, print_json, print_table, say
from convlens.cli.exit_codes import INTERRUPTED
from convlens.cli.launch import (
    launch,
    launched,
    refuse_unlaunchable,
    started_by_torchrun,
    take_part,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convlens.experiment.loggers.logger import Logger
    from convlens.experiment.recipe import Recipe
    from convlens.runs.store import Run
    from convlens.train.parallel.world import World

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
    processes: Annotated[
        int, typer.Option(help="Processes that share each batch, on this machine.")
    ] = 1,
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
      convlens train --processes 2

    Ctrl-C once finishes the step, saves and says how to go on; twice stops at once.
    """
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
    order = Order(recipe, settings, data, out, resume, log or [], as_json, quiet)
    try:
        order.give(processes)
    except KeyboardInterrupt as stop:
        fail("interrupted", str(stop))
        raise typer.Exit(INTERRUPTED) from None


@final
@dataclass(frozen=True, slots=True)
class Order:
    """What is to be trained, and how it is shown."""

    recipe: str | None
    settings: list[str]  # as in train.lr=0.1
    data: str | None
    out: Path
    resume: str | None
    log: list[str]  # as in tensorboard=logs; empty: those that the run had
    as_json: bool
    quiet: bool

    def give(self, processes: int) -> None:
        """Train here, as one of several processes, or start as many."""
        if started_by_torchrun():
            take_part(self.train)
        elif processes == 1:
            from convlens.train.parallel.world import ALONE

            self.train(ALONE)
        else:
            refuse_unlaunchable(processes)
            self.check(processes)  # so that a mistake ends here, and a download is seen
            quiet = self.quiet or self.as_json
            raise typer.Exit(launch(processes, self.words(processes), quiet=quiet))

    def train(self, world: "World") -> None:
        """Train it and show the result; each of several processes calls this alike."""
        from convlens.cli.progress import progress
        from convlens.experiment.execute import execute
        from convlens.experiment.resume import resume_run
        from convlens.runs.store import Run

        begun = world.first(lambda: self._start(world))
        silent = world.rank > 0
        loggers = world.everywhere(lambda: [] if silent else self._loggers(begun))
        if not launched():  # then the launcher has told them
            world.first(lambda: self._tell_notes(begun, world.size))
        shown = nullcontext([]) if silent else progress(as_json=self.as_json, quiet=self.quiet)
        with shown as listeners:
            heard = [*listeners, *loggers]
            if not isinstance(begun, Run):
                world.everywhere(lambda: None if world.local_rank else self._fetch(begun))
                run = execute(begun, out=self.out, listeners=heard, world=world)
            elif world.restarts and world.first(begun.summary)["status"] == "finished":
                run = begun  # a process died when all was done
            else:
                again = f"a process died, so all were started again (restart {world.restarts})"
                notes = [again] if world.restarts else []
                run = resume_run(begun, listeners=heard, world=world, notes=notes)
        if not silent:
            _show(run, loggers, as_json=self.as_json)

    def check(self, processes: int) -> None:
        """Do what comes before a training, so that its mistakes are told at once."""
        from convlens.train.parallel.world import ALONE

        begun = self._start(ALONE)
        self._loggers(begun)
        self._tell_notes(begun, processes)

    def words(self, processes: int) -> list[str]:
        """The order as a command line."""
        named = {"--data": self.data, "--resume": self.resume}
        return [
            "train",
            *(["--json"] if self.as_json else []),
            *(["--quiet"] if self.quiet else []),
            *(word for name, value in named.items() if value is not None for word in (name, value)),
            *("--out", str(self.out), "--processes", str(processes)),
            *(word for setting in self.settings for word in ("--set", setting)),
            *(word for log in self.log for word in ("--log", log)),
            *(["--", self.recipe] if self.recipe is not None else []),
        ]

    def _start(self, world: "World") -> "Recipe | Run":
        """The recipe to begin with, or the run to go on with."""
        from convlens.experiment.loggers.catalog import make_loggers
        from convlens.runs.store import run_of_launch

        make_loggers(self.log)  # so that a mistake is told before a download
        if self.resume is not None:
            return _to_go_on(self.resume, self.recipe, self.settings, self.data, self.out)
        run = run_of_launch(world.launch, self.out) if world.restarts else None
        return self._recipe() if run is None else run

    def _loggers(self, begun: "Recipe | Run") -> "list[Logger]":
        """Those that are asked for, else those that the run had."""
        from convlens.experiment.loggers.catalog import make_loggers, remembered_loggers
        from convlens.runs.store import Run

        asked = make_loggers(self.log)
        return remembered_loggers(begun) if isinstance(begun, Run) and not asked else asked

    def _tell_notes(self, begun: "Recipe | Run", processes: int) -> None:
        """Say what a person should know before the training starts, unless they want quiet."""
        from convlens.runs.store import Run
        from convlens.train.machine.contention import note_now

        if self.quiet or self.as_json:
            return
        notes = [] if isinstance(begun, Run) else [*begun.notes]
        for note in (*notes, note_now(processes)):
            if note:
                say(f"note: {note}")

    def _recipe(self) -> "Recipe":
        from convlens.cli.reading import reading
        from convlens.data.catalog import DATA_SETS
        from convlens.experiment.recipe import load_recipe

        data = self.data
        elsewhere = any(setting.startswith("data.folder=") for setting in self.settings)
        if data is not None and data in DATA_SETS and not elsewhere:
            self._download(data)
        with reading(as_json=self.as_json, quiet=self.quiet or launched()):
            recipe = load_recipe(self.recipe or DEFAULT_RECIPE, self.settings, data=data)
        self._fetch(recipe)
        return recipe

    def _fetch(self, recipe: "Recipe") -> None:
        if recipe.data.folder is None:
            self._download(recipe.data.name)

    def _download(self, name: str) -> None:
        from convlens.cli.downloads import download

        download(name, as_json=self.as_json, quiet=self.quiet)


def _to_go_on(
    name: str, recipe: str | None, settings: "Sequence[str]", data: str | None, out: Path
) -> "Run":
    from convlens.core.errors import ConfigError
    from convlens.experiment.resume import refuse_other_settings
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
    return run


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
