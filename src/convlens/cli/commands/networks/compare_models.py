"""`convlens compare-models`: networks beside each other, counted and measured."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.cli import options
from convlens.cli.commands.networks import wanted as networks
from convlens.cli.console import percent, print_json, print_markdown, print_table, say

if TYPE_CHECKING:  # torch is loaded inside the command, so that help stays fast
    from torch import Tensor, nn

    from convlens.inspection.training.timing import Timing

MEGA = 1e6

Models = Annotated[list[str], typer.Argument(help="Models of `convlens models`.")]
BatchSize = Annotated[
    int, typer.Option("--batch-size", min=2, help="Images of the measured passes.")
]
Rounds = Annotated[int, typer.Option("--rounds", min=0, help="Times measured; 0: only counted.")]
Plot = Annotated[
    Path | None, typer.Option("--plot", help="Draw accuracy or parameters against MACs here.")
]
Markdown = Annotated[bool, typer.Option("--markdown", help="The table as Markdown.")]


@dataclass(frozen=True, kw_only=True, slots=True)
class Compared:
    """What is known of one model."""

    model: str
    input: str
    num_parameters: int
    convolution_parameters: int
    linear_parameters: int
    macs: int  # of one image
    num_activations: int  # of one image
    training_bytes: int  # peak of a step, and what SGD with momentum keeps
    forward: "Timing | None"
    step: "Timing | None"
    accuracy: float | None  # of the newest finished run of this model


def compare_models(  # noqa: PLR0917 - its options
    models: Models,
    input: networks.Input = None,
    classes: networks.Classes = None,
    settings: networks.Settings = None,
    batch_size: BatchSize = 8,
    rounds: Rounds = 5,
    plot: Plot = None,
    out: options.Out = options.RUNS,
    markdown: Markdown = False,
    as_json: options.Json = False,
) -> None:
    """Compare models: parameters, MACs, activations, memory of a training step, times.

    Counts and memory allocate nothing; the times are medians, the models taking turns. The
    accuracy is that of the newest finished run of a model, if there is one.

    \b
    Examples:
      convlens compare-models lenet lenet-modern lenet-bn
      convlens compare-models resnet18 vgg11 --input 1x96x96 --classes 10
      convlens compare-models resnet18 resnet50 --rounds 0 --plot models.png
    """
    asked = [networks.wanted(name, input, classes, settings) for name in dict.fromkeys(models)]
    times = _times(asked, batch_size, rounds) if rounds else {}
    accuracies = _accuracies(out)
    rows = [_compare(each, batch_size, times, accuracies) for each in asked]
    if as_json:
        print_json({"batch_size": batch_size, "models": [asdict(row) for row in rows]})
    else:
        (print_markdown if markdown else print_table)(*_table(rows, batch_size))
    if plot is not None:
        _draw(rows, plot)
        say(f"plot: {plot}")
    if not as_json:
        say(f"next: convlens summary {rows[0].model}")


def _compare(
    asked: networks.Wanted,
    batch_size: int,
    times: dict[str, tuple["Timing", "Timing"]],
    accuracies: dict[str, float],
) -> Compared:
    from convlens.inspection.summary import summarize
    from convlens.inspection.trace import trace
    from convlens.inspection.training.memory import training_memory

    network = asked.build()
    found = summarize(trace(network, asked.images(network)), network)
    memory = training_memory(network, asked.images(network, batch_size))
    forward, step = times.get(asked.model, (None, None))
    return Compared(
        model=asked.model,
        input=asked.text,
        num_parameters=found.num_parameters,
        convolution_parameters=found.parameters_by_kind["convolution"],
        linear_parameters=found.parameters_by_kind["linear"],
        macs=found.macs,
        num_activations=found.num_activations,
        training_bytes=memory.total_bytes,
        forward=forward,
        step=step,
        accuracy=accuracies.get(asked.model),
    )


def _times(
    asked: list[networks.Wanted], batch_size: int, rounds: int
) -> dict[str, tuple["Timing", "Timing"]]:
    """Forward pass and training step of each, all models taking turns."""
    import torch

    from convlens.inspection.training.timing import time_models

    built: dict[str, tuple[nn.Module, Tensor]] = {}
    for each in asked:
        network = each.build(device="cpu")
        built[each.model] = (network, torch.rand_like(each.images(network, batch_size)))
    labels = torch.zeros(batch_size, dtype=torch.int64)
    forwards = time_models(built, rounds=rounds, warm_up=1)
    steps = time_models(built, labels=labels, rounds=rounds, warm_up=1)
    return {name: (forwards[name], steps[name]) for name in built}


def _accuracies(out: Path) -> dict[str, float]:
    """By model, the test accuracy of its newest run that has one."""
    from convlens.runs.store import list_runs

    accuracies: dict[str, float] = {}
    for run in list_runs(out):  # the newest last
        test = run.summary().get("test")
        if test:
            accuracies[run.read_recipe()["model"]["name"]] = test["accuracy"]
    return accuracies


def _table(rows: list[Compared], batch_size: int) -> tuple[list[str], list[list[str]]]:
    """A line for each quantity and a column for each model."""
    lines = [
        ["input", *(row.input for row in rows)],
        ["parameters", *(f"{row.num_parameters:,}" for row in rows)],
        ["  of convolutions", *(f"{row.convolution_parameters:,}" for row in rows)],
        ["  of linear layers", *(f"{row.linear_parameters:,}" for row in rows)],
        ["MACs", *(f"{row.macs:,}" for row in rows)],
        ["activations", *(f"{row.num_activations:,}" for row in rows)],
        [f"MB, step of {batch_size}", *(f"{row.training_bytes / MEGA:,.1f}" for row in rows)],
    ]
    if any(row.forward for row in rows):
        lines += [
            [f"ms, forward of {batch_size}", *(_milliseconds(row.forward) for row in rows)],
            [f"ms, step of {batch_size}", *(_milliseconds(row.step) for row in rows)],
        ]
    if any(row.accuracy is not None for row in rows):
        lines.append(["test accuracy", *(percent(row.accuracy) for row in rows)])
    return ["", *(row.model for row in rows)], lines


def _milliseconds(timing: Any) -> str:
    return "-" if timing is None else f"{1000 * timing.median_seconds:,.1f}"


def _draw(rows: list[Compared], path: Path) -> None:
    from convlens.report.comparison import ComparisonRow, draw_comparison
    from convlens.report.figures import save_picture

    figure = draw_comparison(
        [
            ComparisonRow(
                name=row.model,
                macs=row.macs,
                num_parameters=row.num_parameters,
                accuracy=row.accuracy,
            )
            for row in rows
        ],
        title=" and ".join(dict.fromkeys(f"images of {row.input}" for row in rows)),
    )
    save_picture(figure, path)
