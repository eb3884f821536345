"""`convlens report`: runs as one page to hand in."""

from pathlib import Path
from typing import Annotated

import typer

from convlens.cli import options
from convlens.cli.commands.runs.compare import RunNames
from convlens.cli.console import print_json, say

Page = Annotated[Path, typer.Option("--output", "-o", help="Where the page is written.")]


def report(
    runs: RunNames,
    page: Page = Path("report.html"),
    folder: options.DataFolder = None,
    out: options.Out = options.RUNS,
    as_json: options.Json = False,
) -> None:
    """Write one HTML file on one or several runs: numbers, curves, mistakes, recipe, origin.

    \b
    Examples:
      convlens report lenet-modern-1
      convlens report lenet-1 lenet-modern-1 -o comparison.html

    The page holds its pictures and asks no other host, so it can be handed in, or printed. Of runs
    that differ in the seed only, the first is shown whole.
    """
    from convlens.report.runs.document import save_report
    from convlens.runs.store import open_run

    opened = [open_run(name, out) for name in runs]
    missing = save_report(opened, page, folder=folder)
    if as_json:
        print_json(
            {"page": str(page), "runs": [str(run.path) for run in opened], "missing": missing}
        )
        return
    for line in missing:
        say(f"missing: {line}")
    print(f"page: {page}")
