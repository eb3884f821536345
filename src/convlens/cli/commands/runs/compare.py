"""`convlens compare`: runs beside each other, and whether a difference is more than chance."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.cli import options
from convlens.cli.commands.runs.chosen import with_out
from convlens.cli.console import print_json, print_table, say
from convlens.core.errors import ConfigError

if TYPE_CHECKING:
    from convlens.report.runs.seeds import Gap
    from convlens.report.runs.sides import Side

RunNames = Annotated[list[str], typer.Argument(help="Runs' names, or the paths of their folders.")]
Png = Annotated[
    Path | None, typer.Option("--png", help="Draw the curves here, and beside it as SVG.")
]


def compare(
    runs: RunNames,
    png: Png = None,
    out: options.Out = options.RUNS,
    as_json: options.Json = False,
) -> None:
    """Compare runs: their numbers, their settings, and which recipe is better, if one is.

    \b
    Examples:
      convlens compare lenet-1 lenet-modern-1
      convlens compare lenet-1 lenet-2 lenet-3 lenet-4 --png compare.png
      convlens compare runs/lenet-* --json

    Runs whose recipes are equal but for the seed are one side. Between two sides the difference
    of the mean test accuracy is given with its 95 % interval (Welch's), which needs two seeds of
    each or more. Of more than two sides the intervals are wider, by Holm's steps, so that all
    verdicts hold together.
    """
    from convlens.report.runs.sides import group
    from convlens.runs.store import open_run

    if png is not None and png.suffix.lower() != ".png":
        raise ConfigError(f"--png {png}: end its name in .png")
    sides = group([open_run(name, out) for name in runs])
    if sum(len(side.entries) for side in sides) < 2:
        raise ConfigError("one run has nothing to be compared with", fix="name another run as well")
    pictures = _draw(sides, png) if png is not None else []
    if as_json:
        print_json({**_content(sides), "pictures": pictures})
        return
    _print(sides)
    for picture in pictures:
        say(f"picture: {picture}")
    command = f"convlens report {' '.join(runs)} -o report.html"
    say(f"next: {with_out(command, out)}")


def _draw(sides: "Sequence[Side]", png: Path) -> list[str]:
    from convlens.report.figures import save_figure
    from convlens.report.runs.curves import draw_overlaid

    return [str(path) for path in save_figure(draw_overlaid(sides), png.with_suffix(""))]


def _print(sides: "Sequence[Side]") -> None:
    from convlens.report.runs import sides as desk
    from convlens.report.runs import tables

    entries = [entry for side in sides for entry in side.entries]
    print_table(tables.RUN_COLUMNS, tables.run_rows(sides), fold=False)
    settings = desk.setting_differences(sides)
    if settings:
        columns = ["setting", *(side.name for side in sides)]
        print_table(columns, tables.difference_rows(settings), title="settings that differ")
    origins = desk.origin_differences(entries)
    if origins:
        print_table(*tables.origin_table(entries, origins), title="what else differs")
    print_table(tables.SIDE_COLUMNS, tables.side_rows(sides), title="sides")
    print()
    for judgement in desk.judge(sides):
        print(judgement.text)
    for note in desk.notes(sides):
        say(f"note: {note}")


def _content(sides: "Sequence[Side]") -> dict[str, Any]:
    from convlens.report.runs import sides as desk

    entries = [(side, entry) for side in sides for entry in side.entries]
    return {
        "runs": [
            {
                "run": str(entry.run.path),
                "side": side.name,
                "seed": entry.seed,
                "summary": entry.summary,
                "test_interval": None if entry.test is None else desk.test_interval(entry.test),
            }
            for side, entry in entries
        ],
        "sides": [
            {
                "side": side.name,
                "runs": [str(entry.run.path) for entry in side.entries],
                "accuracy_by_seed": {str(seed): found for seed, found in side.accuracies.items()},
                "test_accuracy": None if side.spread is None else asdict(side.spread),
                "more_seeds": side.more_seeds,
            }
            for side in sides
        ],
        "settings": desk.setting_differences(sides),
        "circumstances": desk.origin_differences([entry for _, entry in entries]),
        "verdicts": [
            {
                "first": judgement.first.name,
                "second": judgement.second.name,
                "verdict": judgement.verdict,
                "text": judgement.text,
                "gap": _gap_content(judgement.gap),
            }
            for judgement in desk.judge(sides)
        ],
        "notes": desk.notes(sides),
    }


def _gap_content(gap: "Gap | None") -> dict[str, Any] | None:
    return None if gap is None else {**asdict(gap), "p_value": gap.p_value}
