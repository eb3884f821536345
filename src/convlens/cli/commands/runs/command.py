"""`convlens runs`: what has been trained."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from convlens.cli import options
from convlens.cli.commands.runs import chosen
from convlens.cli.console import percent, print_json, print_pairs, print_table

if TYPE_CHECKING:
    from convlens.runs.store import Run

app = typer.Typer(name="runs", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def runs(
    context: typer.Context,
    *,
    recipe: chosen.ByRecipe = None,
    status: chosen.ByStatus = None,
    model: chosen.ByModel = None,
    data: chosen.ByData = None,
    sort: chosen.Sort = "name",
    last: chosen.Last = None,
    out: options.Out = options.RUNS,
    as_json: options.Json = False,
) -> None:
    """List the runs, or show one.

    \b
    Examples:
      convlens runs
      convlens runs --recipe lenet --status finished --sort test
      convlens runs --last 5 --json
      convlens runs show lenet-modern-1
    """
    if context.invoked_subcommand is not None:
        return
    from convlens.runs.store import list_runs

    there = list_runs(out)
    found = chosen.choose(
        there, recipe=recipe, status=status, model=model, data=data, sort=sort, last=last
    )
    if as_json:
        content = [
            {"run": str(each.run.path), "started": each.started or None, **each.summary}
            for each in found
        ]
        print_json({"runs": content})
    elif found:
        columns = ["run", "status", "epochs", "best validation", "test accuracy", "seconds"]
        print_table(columns, [_row(each) for each in found])
        newest = max(found, key=chosen.KEYS["started"]).run
        print(f"next: {chosen.with_out(f'convlens runs show {newest.name}', out)}")
    elif there:
        print(chosen.why_none(there, recipe=recipe, status=status, model=model, data=data))
        print(f"next: {chosen.with_out('convlens runs', out)}")
    else:
        print(f"no runs in {out} yet")
        print("next: convlens train")


@app.command()
def show(
    run: options.RunName, out: options.Out = options.RUNS, as_json: options.Json = False
) -> None:
    """Show one run: how it ended, epoch by epoch, and where it came from.

    \b
    Examples:
      convlens runs show lenet-modern-1
      convlens runs show runs/lenet-1 --json
    """
    from convlens.report.runs.curves import epochs_of
    from convlens.runs.store import open_run

    opened = open_run(run, out)
    summary, origin, records = (
        opened.summary(),
        opened.read_json("provenance.json"),
        epochs_of(opened),
    )
    if as_json:
        print_json(
            {
                "run": str(opened.path),
                "summary": summary,
                "recipe": opened.read_recipe(),
                "provenance": origin,
                "epochs": records,
            }
        )
        return
    pairs = {"run": str(opened.path), "status": summary["status"]}
    if summary.get("stopped"):
        pairs["stopped early"] = summary["stopped"]
    if summary.get("test"):
        pairs["test accuracy"] = percent(summary["test"]["accuracy"])
    if origin:
        versions = ", ".join(f"{name} {number}" for name, number in origin["versions"].items())
        pairs["command"] = origin["command"]
        pairs["versions"] = f"Python {origin['python']}, {versions}"
        pairs["machine"] = f"{origin['device_name']}, {origin['threads']} threads"
        pairs["started"] = origin["started"]
    print_pairs(pairs)
    if records:
        columns = ["epoch", "train loss", "validation loss", "accuracy", "seconds", "images/s"]
        print_table(columns, [_epoch_row(record) for record in records])
    print("files: " + ", ".join(sorted(path.name for path in opened.path.iterdir())))
    print("next:  " + "\n       ".join(_next(opened, run, out)))


def _next(opened: "Run", run: str, out: Path) -> list[str]:
    """What to type next: test it again, hand it in, compare it with the newest of the others."""
    from convlens.runs.store import list_runs

    commands = [f"convlens report {run} -o report.html"]
    if opened.weights_path("last").exists():
        commands.insert(0, f"convlens evaluate {run}")
    there = list_runs(opened.path.resolve().parent)
    others = [other for other in there if other.name != opened.name]
    if others:
        newest = max(map(chosen.Listed, others), key=chosen.KEYS["started"]).run
        other = newest.name if Path(run).name == run else Path(run).parent / newest.name
        commands.append(f"convlens compare {run} {other}")
    return [chosen.with_out(command, out) for command in commands]


def _row(each: chosen.Listed) -> list[str]:
    run, summary = each.run, each.summary
    best = (summary.get("validation") or {}).get("best")
    seconds = summary.get("seconds")
    return [
        run.name,
        summary["status"],
        str(summary.get("epochs", "-")),
        f"{percent(best['accuracy'])} (epoch {best['epoch']})" if best else "-",
        percent((summary.get("test") or {}).get("accuracy")),
        f"{seconds:.1f}" if seconds is not None else "-",
    ]


def _epoch_row(epoch: dict[str, Any]) -> list[str]:
    return [
        str(epoch["epoch"]),
        f"{epoch['train_loss']:.4f}",
        "-" if epoch["validation_loss"] is None else f"{epoch['validation_loss']:.4f}",
        percent(epoch["validation_accuracy"]),
        f"{epoch['seconds']:.1f}",
        f"{epoch['images_per_second']:,.0f}",
    ]
