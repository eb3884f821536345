"""`convlens runs`: what has been trained."""

from typing import TYPE_CHECKING, Any

import typer

from convlens.cli import options
from convlens.cli.console import percent, print_json, print_pairs, print_table

if TYPE_CHECKING:
    from convlens.runs.store import Run

app = typer.Typer(name="runs", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def runs(
    context: typer.Context, out: options.Out = options.RUNS, as_json: options.Json = False
) -> None:
    """List the runs, or show one.

    \b
    Examples:
      convlens runs
      convlens runs show lenet-modern-1
    """
    if context.invoked_subcommand is not None:
        return
    from convlens.runs.store import list_runs

    found = list_runs(out)
    if as_json:
        print_json({"runs": [{"run": str(run.path), **run.summary()} for run in found]})
    elif found:
        columns = ["run", "status", "epochs", "best validation", "test accuracy", "seconds"]
        print_table(columns, [_row(run) for run in found])
        print(f"next: convlens runs show {found[-1].name}")
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
    from convlens.runs.store import open_run

    opened = open_run(run, out)
    summary, origin, records = (
        opened.summary(),
        opened.read_json("provenance.json"),
        _epochs(opened),
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
    if opened.weights_path("last").exists():
        print(f"next:  convlens evaluate {run}")


def _row(run: "Run") -> list[str]:
    summary = run.summary()
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


def _epochs(run: "Run") -> list[dict[str, Any]]:
    """One row per finished epoch, from the events of its training and its validation."""
    evaluated: dict[int, dict[str, Any]] = {}
    epochs: list[dict[str, Any]] = []
    for record in run.records():
        if record["event"] == "Evaluated":
            evaluated[record["epoch"]] = record
        if record["event"] == "EpochFinished":
            validation = evaluated[record["epoch"]]
            epochs.append(
                {
                    "epoch": record["epoch"],
                    "train_loss": record["loss"],
                    "validation_loss": validation["loss"],
                    "validation_accuracy": validation["accuracy"],
                    "seconds": record["seconds"],
                    "images_per_second": record["images_per_second"],
                }
            )
    return epochs


def _epoch_row(epoch: dict[str, Any]) -> list[str]:
    return [
        str(epoch["epoch"]),
        f"{epoch['train_loss']:.4f}",
        f"{epoch['validation_loss']:.4f}",
        percent(epoch["validation_accuracy"]),
        f"{epoch['seconds']:.1f}",
        f"{epoch['images_per_second']:,.0f}",
    ]
