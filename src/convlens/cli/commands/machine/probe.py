"""`convlens probe`: how fast a recipe's step is here, layout by layout."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.cli import options
from convlens.cli.commands.train import DEFAULT_RECIPE
from convlens.cli.console import print_json, print_table, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from convlens.experiment.machine.probe import Tried


def probe(
    recipe: Annotated[
        str, typer.Argument(help="A recipe's name, or the path of a .toml file.")
    ] = DEFAULT_RECIPE,
    *,
    with_compile: Annotated[
        bool, typer.Option("--compile", help="Also by torch.compile; takes up to minutes.")
    ] = False,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any setting, as in train.batch_size=32."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Time a step of a recipe in each memory layout and precision, and say which one to take.

    \b
    Examples:
      convlens probe
      convlens probe resnet18-d2l --set train.batch_size=32
      convlens probe lenet --compile

    The ways take turns; nothing is trained, and no run folder is written. To let a training
    choose by itself: --set train.channels_last=auto --set train.precision=auto.
    """
    from convlens.experiment.find import find_ways
    from convlens.experiment.machine.probe import fastest
    from convlens.experiment.recipe import load_recipe
    from convlens.train.machine.contention import note_now

    chosen = load_recipe(recipe, assignments or [])
    if (note := note_now()) and not as_json:
        say(f"note: {note}")
    tried = find_ways(chosen, with_compile=with_compile)
    best = fastest([one for one in tried if not one.way.compiled])
    if as_json:
        print_json({"recipe": chosen.name, "ways": _content(tried), "chosen": asdict(best)})
        return
    print_table(
        ["layout", "precision", "compiled", "ms per step", "least", "most", "turns"],
        [_row(one) for one in tried],
        title=f"{chosen.name}: a step of {chosen.train.batch_size} images",
    )
    print(f"chosen: {best.told()}; another way would have to be 10 % faster")
    settings = f"train.channels_last={str(best.channels_last).lower()}"
    print(
        f"next:   convlens train {recipe} --set {settings} --set train.precision={best.precision}"
    )


def _row(tried: "Tried") -> list[str]:
    way, timing = tried.way, tried.timing
    layout = "channels last" if way.channels_last else "contiguous"
    compiled = f"in {_compile_seconds(tried):.1f} s" if way.compiled else "no"
    seconds = (timing.median_seconds, timing.least_seconds, timing.most_seconds)
    milliseconds = [f"{1e3 * each:.1f}" for each in seconds]
    return [layout, way.precision, compiled, *milliseconds, str(timing.repeats)]


def _content(tried: "Sequence[Tried]") -> list[dict[str, Any]]:
    return [
        {
            **asdict(one.way),
            "compile_seconds": _compile_seconds(one) if one.way.compiled else None,
            **asdict(one.timing),
        }
        for one in tried
    ]


def _compile_seconds(tried: "Tried") -> float:
    return max(tried.first_seconds - tried.timing.median_seconds, 0.0)
