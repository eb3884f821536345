"""`convlens summary`: a network layer by layer, on paper."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.cli import options
from convlens.cli.commands.networks import wanted as networks
from convlens.cli.commands.networks.wanted import Wanted
from convlens.cli.console import print_json, print_markdown, print_pairs, print_table, say
from convlens.cli.exit_codes import CHECK_FAILED
from convlens.core.errors import ConfigError, ShapeError

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

    Repeated blocks are told once. The parts in which weight layers are counted are the stem, the
    stages of the body and the layers of the head. With --reconcile the exit code is 1 if a MAC or
    a parameter is unaccounted for.

    \b
    Examples:
      convlens summary resnet18 --input 1x96x96
      convlens summary vgg11-d2l --depth 2
      convlens summary lenet --arithmetic --fields
      convlens summary resnet18 --input 1x96x96 --reconcile
    """
    if markdown and as_json:
        raise ConfigError("--markdown and --json: choose one of them")
    asked = networks.wanted(model, input, classes, settings)
    network, x = _built(asked)
    if reconcile:
        _print_ledger(asked, network, x, markdown=markdown, as_json=as_json)
        return
    from convlens.inspection.summary import summarize
    from convlens.inspection.trace import trace

    found = summarize(trace(network, x, partial=True), network, depth=depth)
    seen = _fields(network, x) if fields and found.failure is None else {}
    least = asked.smallest() if found.failure is not None else None
    if as_json:
        print_json({"model": model, "input": list(x.shape[1:]), **_content(found, seen, least)})
    else:
        columns, rows = _table(found, arithmetic, by_depth=depth is not None, fields=seen)
        _print_rows(columns, rows, title=f"{model} on {asked.text}", markdown=markdown)
    if found.failure is not None:
        raise _too_small(asked, str(found.failure), least)
    if not as_json:
        _print_totals(_totals(found), markdown=markdown)
        say(f"next: convlens summary {model} --reconcile")


def _too_small(asked: Wanted, what: str, least: int | None) -> ShapeError:
    fix = f"the smallest input that works: {asked.channels}x{least}x{least}" if least else ""
    return ShapeError(what, fix=fix)


def _print_rows(
    columns: list[str],
    rows: list[list[str]],
    *,
    title: str | None = None,
    markdown: bool,
    fold: bool = False,
) -> None:
    if markdown:
        print_markdown(columns, rows)
    else:
        print_table(columns, rows, title=title, fold=fold)


def _print_totals(pairs: dict[str, str], *, markdown: bool) -> None:
    if not markdown:
        print_pairs(pairs)
        return
    print()  # else the first line would be a row of the table
    for name, value in pairs.items():
        print(f"- {name}: {value}")


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
    found: "Summary", arithmetic: bool, *, by_depth: bool, fields: "dict[str, Field]"
) -> tuple[list[str], list[list[str]]]:
    columns = ["layer", "kind", "output", "parameters", "MACs"]
    if by_depth:
        columns.append("weight layers")
    if fields:
        columns.append("sees")
    rows: list[list[str]] = []
    for row in found.rows:
        output = _size(row.output)
        if found.failure is not None and row.path == found.failure.path:
            output = f"cannot take {' and '.join(_size(x[1:]) for x in found.failure.inputs)}"
        numbers = (row.num_parameters, row.macs, *([row.weight_layers] if by_depth else []))
        counts = ["" if row.is_open else f"{n:,}" if n else "-" for n in numbers]
        if arithmetic and row.arithmetic:
            counts[0] = row.arithmetic  # ends with the number
        cells = [_name(row), row.kind, output, *counts]
        if fields:
            cells.append(_sight(fields[row.path]) if row.path in fields else "")
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
    counted = f"{layers['convolution']} convolutions, {layers['linear']} linear"
    if found.shortcut_layers:
        counted += f"; {found.weight_layers - found.shortcut_layers} without those in shortcuts"
    pairs = {
        "parameters": f"{found.num_parameters:,} ({by_kind}), "
        f"{found.parameter_bytes / 1e6:,.2f} MB as float32",
        "MACs": f"{found.macs:,}; FLOPs {found.flops:,}",
        "activations": f"{found.num_activations:,} numbers per image",
        "weight layers": f"{found.weight_layers} ({counted}) in {len(found.parts)} parts: {parts}",
    }
    if found.num_trainable != found.num_parameters:
        pairs["trainable"] = f"{found.num_trainable:,}"
    return pairs


def _content(found: "Summary", fields: "dict[str, Field]", least: int | None) -> dict[str, Any]:
    """The summary as JSON: numbers, and null where a place sees all rows or columns."""
    content = asdict(found)
    failure = content.pop("failure")
    if failure is not None:
        failure["smallest_image_size"] = least
    return {
        **content,
        "flops": found.flops,
        "parameter_bytes": found.parameter_bytes,
        "weight_layers": found.weight_layers,
        "failure": failure,
        "fields": {
            path: {"size": field.size, "jump": field.jump, "start": field.start}
            for path, field in fields.items()
        },
    }


def _fields(network: "nn.Module", x: "Tensor") -> "dict[str, Field]":
    from convlens.inspection.receptive_field import receptive_fields

    return receptive_fields(network, x)


def _sight(field: "Field") -> str:
    """What one number of a layer's output sees of the image: size, and step to the next."""
    if field.whole:
        return "all of it"
    height, width = ("all" if size is None else str(size) for size in field.size)
    rows, columns = ("-" if jump is None else str(jump) for jump in field.jump)
    return f"{height}x{width}, step {rows}" + (f"x{columns}" if columns != rows else "")


def _print_ledger(
    asked: Wanted, network: "nn.Module", x: "Tensor", *, markdown: bool, as_json: bool
) -> None:
    from convlens.inspection.ledger import reconcile

    try:
        ledger = reconcile(network, x)
    except ShapeError as error:
        raise _too_small(asked, error.what, asked.smallest()) from None
    if as_json:
        print_json({"model": asked.model, **asdict(ledger), "balanced": ledger.balanced})
    else:
        counts = [
            ["MACs", f"{ledger.formula_macs:,}", f"{ledger.traced_macs:,}", _flops(ledger)],
            ["parameters", f"{ledger.formula_parameters:,}", f"{ledger.num_parameters:,}", "-"],
        ]
        _print_rows(
            ["count", "by formula", "by trace", "by flop_counter"],
            counts,
            title=f"{asked.model} on {asked.text}",
            markdown=markdown,
            fold=True,
        )
        print()
        _print_rows(
            ["difference", "amount", "unit", "why"],
            [
                [entry.name, f"{entry.amount:,}", entry.unit, _why(entry)]
                for entry in ledger.entries
            ],
            markdown=markdown,
            fold=True,
        )
        say("balanced: every difference has its name" if ledger.balanced else "NOT balanced")
    if not ledger.balanced:
        raise typer.Exit(CHECK_FAILED)


def _flops(ledger: "Ledger") -> str:
    return f"{ledger.counted_flops:,} / 2 = {ledger.counted_flops // 2:,}"


def _why(entry: Any) -> str:
    return entry.why if entry.explained else f"UNEXPLAINED: {entry.why}"
