"""`convlens lr-find`: a learning rate for a recipe, by trying."""

from pathlib import Path
from typing import Annotated

import typer

from convlens.cli import options
from convlens.cli.commands.train import DEFAULT_RECIPE
from convlens.cli.console import print_json, print_pairs


def lr_find(
    recipe: Annotated[
        str, typer.Argument(help="A recipe's name, or the path of a .toml file.")
    ] = DEFAULT_RECIPE,
    *,
    low: Annotated[float, typer.Option(help="The first learning rate.")] = 1e-6,
    high: Annotated[float, typer.Option(help="The last learning rate.")] = 10.0,
    steps: Annotated[int, typer.Option(help="Steps from the first to the last.")] = 200,
    png: Annotated[
        Path | None, typer.Option(help="Where the picture goes  [default: lr-find.png]")
    ] = None,
    assignments: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Any setting, as in train.momentum=0.9."),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Sweep the learning rate and suggest one: a tenth of that with the lowest smoothed loss.

    \b
    Examples:
      convlens lr-find
      convlens lr-find lenet --set model.activation=relu --high 100

    A few steps are trained and thrown away; no run folder is written.
    """
    from convlens.experiment.find import find_lr
    from convlens.experiment.recipe import load_recipe
    from convlens.report.figures import save_picture
    from convlens.report.sweep import draw_sweep

    chosen = load_recipe(recipe, assignments or [])
    found = find_lr(chosen, low=low, high=high, num_steps=steps)
    picture = png or Path("lr-find.png")
    save_picture(draw_sweep(found, title=f"{chosen.name}: learning rate and loss"), picture)
    if as_json:
        print_json(
            {
                "recipe": chosen.name,
                "suggestion": found.suggestion,
                "lowest": found.lowest,
                "rates": list(found.rates),
                "losses": list(found.losses),
                "smoothed": list(found.smoothed),
                "png": str(picture),
            }
        )
        return
    print_pairs(
        {
            "steps": f"{len(found.rates)} of {steps}, from {found.rates[0]:.2g} "
            f"to {found.rates[-1]:.2g}",
            "loss": f"{found.losses[0]:.4f} at first, {min(found.smoothed):.4f} at its lowest",
            "lowest at": f"{found.lowest:.2g}",
            "suggestion": f"{found.suggestion:.2g}, a tenth of that",
            "picture": str(picture),
        }
    )
    print(f"next: convlens train {recipe} --lr {found.suggestion:g}")
