"""The `convlens` command: its commands and its errors."""

import sys
from typing import Annotated

import typer

from convlens import __version__
from convlens.cli.commands import (
    data,
    evaluate,
    lr_find,
    predict,
    recipes,
    reproduce,
    study,
    train,
)
from convlens.cli.commands.conv import command as conv
from convlens.cli.commands.machine import doctor, probe
from convlens.cli.commands.networks import compare_models, models, summary
from convlens.cli.commands.runs import command as runs
from convlens.cli.commands.runs import compare, report
from convlens.cli.console import fail
from convlens.cli.exit_codes import exit_code
from convlens.core.allocator import keep_buffers
from convlens.core.errors import ConvLensError

EXAMPLES = """\
ConvLens: understand a convolution down to every number, and train on this machine.

  convlens train                          train LeNet on the whole of Fashion-MNIST
  convlens runs                           what has been trained, and how well
  convlens predict lenet-modern-1 a.png   what a trained network sees in a picture
  convlens conv --padding 1 --walk        a convolution, number by number
  convlens summary resnet18               a network, layer by layer
  convlens doctor                         check this machine

convlens --help lists every command; convlens COMMAND --help explains one."""

app = typer.Typer(
    name="convlens",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(train.train)
app.command("lr-find")(lr_find.lr_find)
app.command()(evaluate.evaluate)
app.command()(predict.predict)
app.command()(models.models)
app.command()(recipes.recipes)
app.command()(summary.summary)
app.command("compare-models")(compare_models.compare_models)
app.add_typer(conv.app)
app.add_typer(study.app)
app.command()(reproduce.reproduce)
app.add_typer(data.app)
app.add_typer(runs.app)
app.command()(compare.compare)
app.command()(report.report)
app.command()(doctor.doctor)
app.command()(probe.probe)


@app.callback(invoke_without_command=True)
def convlens(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of an error, in any command.")
    ] = False,
) -> None:
    """Understand a convolution down to every number, and train on this machine."""
    del debug  # read by `main`, wherever it stands
    if version:
        print(__version__)
    elif context.invoked_subcommand is None:
        print(EXAMPLES)


def main() -> None:
    """Run the command line and leave with its exit code."""
    keep_buffers()  # before torch is loaded
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    sys.exit(run([argument for argument in arguments if argument != "--debug"], debug=debug))


def run(arguments: list[str], *, debug: bool = False) -> int:
    """Run the command line `arguments`; gives back the exit code."""
    try:
        app(arguments, prog_name="convlens")
    except SystemExit as end:  # Typer's way to leave, after usage errors and all being well
        return end.code if isinstance(end.code, int) else 0
    except ConvLensError as error:
        if debug:
            raise
        fail(error.what, error.fix)
        return exit_code(error)
    return 0
