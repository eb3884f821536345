"""`convlens summary`: a network layer by layer, on paper."""

import re
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.cli import options
from convlens.cli.console import print_json, print_markdown, print_pairs, print_table, say
from convlens.cli.exit_codes import CHECK_FAILED
from convlens.core.errors import ConfigError, ShapeError

if TYPE_CHECKING:  # torch is loaded inside the command, so that help stays fast
    from torch import Tensor, nn

    from convlens.inspection.ledger import Ledger
    from convlens.inspection.summary import Row, Summary

Input = Annotated[str | None, typer.Option("--input", help="Channels x height x width: 1x96x96.")]
Depth = Annotated[int | None, typer.Option("--depth", min=1, help="Show no deeper level.")]
Classes = Annotated[int | None, typer.Option("--classes", min=1, help="Number of classes.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of the model: stem=small.")
]
Markdown = Annotated[bool, typer.Option("--markdown", help="The table as Markdown.")]
Reconcile = Annotated[
    bool, typer.Option("--reconcile", help="Count three ways, and name every difference.")
]
Arithmetic = Annotated[
    bool, typer.Option("--arithmetic", help="How each number of parameters comes about.")
]
Fields = Annotated[bool, typer.Option("--fields", help="The receptive field of each layer.")]


def summary(  # noqa: PLR0917 - its options
    model: Annotated[str, typer.Argument(help="A model of `convlens models`.")],
    input: Input = None,
    depth: Depth = None,
    classes: Classes = None,
    settings: Settings = None,
    arithmetic: Arithmetic = False,
    fields: Fields = False,
    reconcile: Reconcile = False,
    markdown: Markdown = False,
    as_json: options.Json = False,
) -> None:
    """Show a model's layers: output, parameters, MACs; nothing is allocated.

    Repeated blocks are told once. With --reconcile the exit code is 1 if a MAC or a parameter
    is unaccounted for.

    \b
    Examples:
      convlens summary resnet18 --input 1x96x96
      convlens summary vgg11-d2l --depth 2
      convlens summary lenet --arithmetic --fields
      convlens summary resnet18 --input 1x96x96 --reconcile
    """
    network, x, smallest = _network(model, input, classes, settings or [])
    if reconcile:
        _print_ledger(model, network, x, as_json=as_json)
        return
    from convlens.inspection.summary import summarize
    from convlens.inspection.trace import trace

    found = summarize(trace(network, x, partial=True), network, depth=depth)
    seen = _fields(network, x) if fields and found.failure is None else {}
    if as_json:
        print_json({"model": model, "input": list(x.shape[1:]), **_content(found), "fields": seen})
    else:
        columns, rows = _table(found, arithmetic, by_depth=depth is not None, fields=seen)
        if markdown:
            print_markdown(columns, rows)
        else:
            print_table(columns, rows, title=f"{model} on {_size(x.shape[1:])}")
    if found.failure is not None:
        least = smallest()
        fix = f"the smallest input that works: {x.shape[1]}x{least}x{least}" if least else ""
        raise ShapeError(str(found.failure), fix=fix)
    if not as_json:
        print_pairs(_totals(found))
        say(f"next: convlens summary {model} --reconcile")


def _network(
    model: str, input: str | None, classes: int | None, assignments: list[str]
) -> "tuple[nn.Module, Tensor, Callable[[], int | None]]":
    """The model and its input on `meta`, and what finds the smallest input that works.

    If the model refuses to be built for that size, it is built for its own, so that a pass
    shows which layer does not fit.
    """
    import torch

    from convlens.core.config import override
    from convlens.inspection.smallest import smallest_input
    from convlens.inspection.trace import trace
    from convlens.inspection.watch import inputs_like
    from convlens.models.catalog import MODELS, build, configure

    preset = MODELS[model].preset
    given = override({}, [f"model.{assignment}" for assignment in assignments]).get("model", {})
    if classes is not None:
        given["num_classes"] = classes
    channels, size = preset.in_channels, preset.image_size
    if input is not None:
        channels, size = _parse(input)
        given["in_channels"] = channels

    def at(size: int) -> "tuple[nn.Module, Tensor]":
        with torch.device("meta"):
            network = build(model, configure(model, {**given, "image_size": size}))
        return network, inputs_like(network, 1, channels, size, size)

    def runs(size: int) -> bool:
        try:
            trace(*at(size))
        except ShapeError:
            return False
        return True

    size = int(given.get("image_size", size))
    try:
        network, x = at(size)
    except ShapeError:
        network, _ = at(preset.image_size)
        x = inputs_like(network, 1, channels, size, size)
        if trace(network, x, partial=True).failure is None:
            raise
    return network, x, lambda: smallest_input(runs)


def _parse(text: str) -> tuple[int, int]:
    """Channels and size of CxHxW."""
    found = re.fullmatch(r"(\d+)x(\d+)x(\d+)", text)
    if found is None:
        raise ConfigError(f"--input {text}: not a size", fix="write CxHxW, as in 1x96x96")
    channels, height, width = (int(number) for number in found.groups())
    if height != width:
        raise ConfigError(
            f"--input {text}: {height} rows and {width} columns",
            fix=f"models take square images: {channels}x{height}x{height}",
        )
    if min(channels, height) < 1:
        raise ConfigError(f"--input {text}: every number must be >= 1")
    return channels, height


def _table(
    found: "Summary", arithmetic: bool, *, by_depth: bool, fields: dict[str, str]
) -> tuple[list[str], list[list[str]]]:
    columns = ["layer", "kind", "output", "parameters", "MACs"]
    if by_depth:
        columns.append("weight layers")
    if arithmetic:
        columns.append("arithmetic")
    if fields:
        columns.append("sees")
    rows: list[list[str]] = []
    for row in found.rows:
        numbers = (row.num_parameters, row.macs, *([row.weight_layers] if by_depth else []))
        counts = ["" if row.is_open else f"{n:,}" if n else "-" for n in numbers]
        cells = [_name(row), row.kind, _size(row.output), *counts]
        if arithmetic:
            cells.append(row.arithmetic)
        if fields:
            cells.append(fields.get(row.path, ""))
        rows.append(cells)
    if found.failure is not None:
        sizes = ", ".join(_size(shape[1:]) for shape in found.failure.inputs)
        failed = [f"{found.failure.path}", found.failure.kind, f"cannot take {sizes}"]
        rows.append(failed + [""] * (len(columns) - 3))
    return columns, rows


def _name(row: "Row") -> str:
    indent = "  " * row.indent
    if len(row.names) == 1:
        return indent + row.names[0]
    return f"{indent}{row.names[0]} ... {row.names[-1]}  {len(row.names)}x"


def _size(shape: Any) -> str:
    return "" if shape is None else "x".join(map(str, shape)) or "1"


def _totals(found: "Summary") -> dict[str, str]:
    by_kind = ", ".join(f"{kind} {n:,}" for kind, n in found.parameters_by_kind.items() if n)
    layers = found.layers_by_kind
    parts = ", ".join(f"{part.name} {part.weight_layers}" for part in found.parts)
    pairs = {
        "parameters": f"{found.num_parameters:,} ({by_kind}), "
        f"{found.parameter_bytes / 1e6:,.2f} MB as float32",
        "MACs": f"{found.macs:,}; FLOPs {found.flops:,}",
        "activations": f"{found.num_activations:,} numbers per image",
        "weight layers": f"{found.weight_layers} ({layers['convolution']} convolutions, "
        f"{layers['linear']} linear) in {len(found.parts)} parts: {parts}",
    }
    if found.num_trainable != found.num_parameters:
        pairs["trainable"] = f"{found.num_trainable:,}"
    return pairs


def _content(found: "Summary") -> dict[str, Any]:
    """The summary as JSON."""
    content = asdict(found)
    failure = content.pop("failure")
    return {**content, "flops": found.flops, "failure": failure}


def _fields(network: "nn.Module", x: "Tensor") -> dict[str, str]:
    """What one number of each layer's output sees of the image: size, and step to the next."""
    from convlens.inspection.receptive_field import receptive_fields

    return {path: str(field) for path, field in receptive_fields(network, x).items()}


def _print_ledger(model: str, network: "nn.Module", x: "Tensor", *, as_json: bool) -> None:
    from convlens.inspection.ledger import reconcile

    ledger = reconcile(network, x)
    if as_json:
        print_json({"model": model, **asdict(ledger), "balanced": ledger.balanced})
    else:
        print_table(
            ["count", "by formula", "by trace", "by flop_counter"],
            [
                ["MACs", f"{ledger.formula_macs:,}", f"{ledger.traced_macs:,}", _flops(ledger)],
                ["parameters", f"{ledger.formula_parameters:,}", f"{ledger.num_parameters:,}", "-"],
            ],
            title=f"{model} on {_size(x.shape[1:])}",
        )
        print_table(
            ["difference", "amount", "unit", "why"],
            [
                [entry.name, f"{entry.amount:,}", entry.unit, _why(entry)]
                for entry in ledger.entries
            ],
        )
        say("balanced: every difference has its name" if ledger.balanced else "NOT balanced")
    if not ledger.balanced:
        raise typer.Exit(CHECK_FAILED)


def _flops(ledger: "Ledger") -> str:
    return f"{ledger.counted_flops:,} / 2 = {ledger.counted_flops // 2:,}"


def _why(entry: Any) -> str:
    return entry.why if entry.explained else f"UNEXPLAINED: {entry.why}"
