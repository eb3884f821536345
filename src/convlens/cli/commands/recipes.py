"""`convlens recipes`: the recipes there are, with what they claim."""

from typing import Annotated

import typer

from convlens.cli import options
from convlens.cli.console import print_json, print_table


def recipes(
    recipe: Annotated[
        str | None, typer.Argument(help="Print this recipe with every setting filled in.")
    ] = None,
    as_json: options.Json = False,
) -> None:
    """List the recipes and their measured claims, or print one in full.

    \b
    Examples:
      convlens recipes
      convlens recipes lenet > mine.toml
    """
    from convlens.core.config import write_toml
    from convlens.experiment.recipe import claim, load_recipe, shipped_recipes

    if recipe is not None:
        table = load_recipe(recipe).to_table()
        if as_json:
            print_json({"recipe": recipe, **table})
        else:
            print(write_toml(table), end="")
        return
    claims = {name: claim(path) for name, path in shipped_recipes().items()}
    if as_json:
        print_json({"recipes": claims})
    else:
        print_table(["recipe", "claim"], [list(row) for row in claims.items()])
