"""The runs that a command's options ask for: filtered, the newest of them, in an order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, final

import typer

from convlens.cli import options
from convlens.core.names import natural_key, suggestion

if TYPE_CHECKING:
    from convlens.runs.store import Run

Order = Literal["name", "test", "validation", "seconds", "started"]
Status = Literal["finished", "unfinished", "interrupted", "diverged", "failed"]

ByRecipe = Annotated[str | None, typer.Option("--recipe", help="Only runs of this recipe.")]
ByStatus = Annotated[Status | None, typer.Option("--status", help="Only runs that ended so.")]
ByModel = Annotated[str | None, typer.Option("--model", help="Only runs of this model.")]
ByData = Annotated[
    str | None, typer.Option("--data", help="Only runs on this data set; own: on own images.")
]
Sort = Annotated[
    Order, typer.Option("--sort", help="Highest accuracy, least time or oldest first.")
]
Last = Annotated[int | None, typer.Option("--last", min=1, help="Only the newest so many.")]


@final
@dataclass(frozen=True)
class Listed:
    """A run, and what it is filtered and sorted by."""

    run: "Run"

    @cached_property
    def summary(self) -> dict[str, Any]:
        """How it ended, and the names of recipe, model and data, also of an unfinished run."""
        found = self.run.summary()
        recipe = self.run.name.rpartition("-")[0] or self.run.name
        table = self.run.read_recipe()
        names = {key: table.get(key, {}).get("name") for key in ("model", "data")}
        return {"recipe": recipe, **names, **found}

    @cached_property
    def started(self) -> str:
        """When it was started, in UTC; "" if that was never written."""
        return self.run.read_json("provenance.json").get("started", "")

    @property
    def test(self) -> float | None:
        """The test accuracy."""
        return (self.summary.get("test") or {}).get("accuracy")

    @property
    def validation(self) -> float | None:
        """The best validation accuracy."""
        best = (self.summary.get("validation") or {}).get("best") or {}
        return best.get("accuracy")


# What is least comes first, and a run without the number last.
KEYS: dict[Order, Callable[[Listed], Any]] = {
    "name": lambda each: natural_key(each.run.name),
    "started": lambda each: (each.started, natural_key(each.run.name)),
    "test": lambda each: (each.test is None, -(each.test or 0)),
    "validation": lambda each: (each.validation is None, -(each.validation or 0)),
    "seconds": lambda each: (
        each.summary.get("seconds") is None,
        each.summary.get("seconds") or 0,
    ),
}


def choose(
    runs: Sequence["Run"],
    *,
    recipe: str | None,
    status: Status | None,
    model: str | None,
    data: str | None = None,
    sort: Order,
    last: int | None,
) -> list[Listed]:
    """The runs that fit, the `last` ones that were started, sorted."""
    wanted = {"recipe": recipe, "status": status, "model": model, "data": data}
    found = [
        each
        for each in map(Listed, runs)
        if all(value is None or each.summary[key] == value for key, value in wanted.items())
    ]
    if last is not None:
        found = sorted(found, key=KEYS["started"])[-last:]
    return sorted(found, key=KEYS[sort])


def why_none(
    runs: Sequence["Run"],
    *,
    recipe: str | None,
    status: Status | None,
    model: str | None,
    data: str | None = None,
) -> str:
    """Which filter leaves nothing, and the nearest that would leave something."""
    summaries = [Listed(run).summary for run in runs]
    wanted = {"recipe": recipe, "model": model, "data": data, "status": status}
    for key, value in wanted.items():
        there = dict.fromkeys(str(summary[key]) for summary in summaries)
        if value is not None and value not in there:
            return f"no run with {key} {value!r}; {suggestion(value, there)}"
    return "no run fits all of these"


def with_out(command: str, out: Path) -> str:
    """The command with --out, if the runs are not where they are looked for."""
    return command if out == options.RUNS else f"{command} --out {out}"
