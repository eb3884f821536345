"""`convlens summary`: a network layer by layer, on paper."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.cli import options
from convlens.cli.commands.networks import wanted as networks
from convlens.cli.commands.networks.wanted import Wanted
from convlens.cli.console import print_json, print_markdown, print_pairs, print_table, say
from convlens.cli.exit_codes import CHECK_FAILED
from convlens.core.errors import ShapeError

if TYPE_CHECKING:  # torch is loaded inside the command, so that help stays fast
    from torch import Tensor, nn

    from convlens.inspection.ledger import Ledger
    from convlens.inspection.receptive_field import Field
    from convlens.inspection.summary import Row, Summary

Depth = Annotated[int | None, typer.Option("--depth", min=1, help="Show no deeper level.")]
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
    input: networks.Input = None,
    depth: Depth = None,
    classes: networks.Classes = None,
    settings: networks.Settings = None,
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
    asked = networks.wanted(model, input, classes, settings)
    network, x = _built(asked)
    if reconcile:
        _print_ledger(asked, network, x, as_json=as_json)
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
            print_table(columns, rows, title=f"{model} on {asked.text}")
    if found.failure is not None:
        least = asked.smallest()
        fix = f"the smallest input that works: {asked.channels}x{least}x{least}" if least else ""
        raise ShapeError(str(found.failure), fix=fix)
    if not as_json:
        print_pairs(_totals(found))
        say(f"next: convlens summary {model} --reconcile")


def _built(asked: Wanted) -> "tuple[nn.Module, Tensor]":
    """The network on `meta` and one image for it.

    If the model refuses to be built for that size, it is built for its own, so that a pass
    shows which layer does not fit.
    """
    from convlens.inspection.trace import trace
    from convlens.models.catalog import MODELS

    try:
        network = asked.build()
    except ShapeError:
        network = asked.build(MODELS[asked.model].preset.image_size)
        x = asked.images(network)
        if trace(network, x, partial=True).failure is None:
            raise
        return network, x
    return network, asked.images(network)


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
        output = _size(row.output)
        if found.failure is not None and row.path == found.failure.path:
            output = f"cannot take {' and '.join(_size(x[1:]) for x in found.failure.inputs)}"
        numbers = (row.num_parameters, row.macs, *([row.weight_layers] if by_depth else []))
        counts = ["" if row.is_open else f"{n:,}" if n else "-" for n in numbers]
        cells = [_name(row), row.kind, output, *counts]
        if arithmetic:
            cells.append(row.arithmetic)
        if fields:
            cells.append(fields.get(row.path, ""))
        rows.append(cells)
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

    return {path: _sight(field) for path, field in receptive_fields(network, x).items()}


def _sight(field: "Field") -> str:
    if field.whole:
        return "all of it"
    height, width = ("all" if size is None else str(size) for size in field.size)
    rows, columns = ("-" if jump is None else str(jump) for jump in field.jump)
    return f"{height}x{width}, step {rows}" + (f"x{columns}" if columns != rows else "")


def _print_ledger(asked: Wanted, network: "nn.Module", x: "Tensor", *, as_json: bool) -> None:
    from convlens.inspection.ledger import reconcile

    ledger = reconcile(network, x)
    if as_json:
        print_json({"model": asked.model, **asdict(ledger), "balanced": ledger.balanced})
    else:
        print_table(
            ["count", "by formula", "by trace", "by flop_counter"],
            [
                ["MACs", f"{ledger.formula_macs:,}", f"{ledger.traced_macs:,}", _flops(ledger)],
                ["parameters", f"{ledger.formula_parameters:,}", f"{ledger.num_parameters:,}", "-"],
            ],
            title=f"{asked.model} on {asked.text}",
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
