"""One step as lines of text: the window, the kernel, the products, the sum, the place."""

import textwrap
from collections.abc import Sequence

from rich.text import Text
from torch import Tensor

from convlens.cli.commands.conv.draw import WIDTH, Matrix, beside, number, table
from convlens.ops.steps.backward import Backward
from convlens.ops.steps.forward import Correlation
from convlens.ops.steps.pooling import Pooling, PoolingBackward
from convlens.ops.steps.records import CorrelationStep, GradientStep, PoolStep, Product
from convlens.ops.window import Window

MAX_CHANNELS = 4  # shown in one step
MAX_LINES = 25  # of products in one step
Place = tuple[int, ...]


def correlation_lines(forward: Correlation, output: Tensor, step: CorrelationStep) -> list[Text]:
    """Window, kernel and output; every product; the sum."""
    out, i, j = step.cell
    per_channel = forward.geometry.rows.kernel * forward.geometry.columns.kernel
    title = "kernel, turned" if forward.turned else "kernel"
    lines: list[Text] = []
    sums: list[float] = []
    for start in range(0, len(step.products), per_channel):
        products = step.products[start : start + per_channel]
        sums.append(sum((product.product for product in products), start=0.0))
        if len(sums) > MAX_CHANNELS:
            continue
        channel, within = products[0].pixel.channel, products[0].entry[1]
        pictures = [
            input_matrix(forward, channel, (i, j)),
            plain_matrix(_name(title, forward.kernel, out, within), forward.applied[out, within]),
        ]
        if len(sums) == 1:
            pictures.append(plain_matrix(_name("output", output, out), output[out], ((i, j),)))
        lines += [*beside(*pictures), Text(), *product_lines(forward, products), Text()]
    hidden = len(sums) - MAX_CHANNELS
    if hidden > 0:
        lines.append(Text(f"({hidden} more channels are in the sum, not shown)", style="dim"))
    terms = sums if len(sums) > 1 else [product.product for product in step.products]
    bias = None if forward.bias is None else step.bias
    return lines + equation(_indexed("output", step.cell, len(output) > 1), terms, bias, step.sum)


def product_lines(forward: Correlation, products: Sequence[Product]) -> list[Text]:
    """Every product, laid out as the kernel is, or a line each where that is too wide."""
    width = forward.geometry.columns.kernel
    columns = [products[b::width] for b in range(width)]
    parts = [_aligned(column) for column in columns]
    rows = ["    ".join(row) for row in zip(*parts, strict=True)]
    if max(map(len, rows)) + 2 > WIDTH:
        rows = _aligned(products)
    lines = [Text(f"  {row}") for row in rows[:MAX_LINES]]
    if len(rows) > MAX_LINES:
        note = f"  (the first {MAX_LINES} of {len(rows)} lines of products; --json has all)"
        lines.append(Text(note, style="dim"))
    return lines


def pool_lines(pooling: Pooling, output: Tensor, step: PoolStep) -> list[Text]:
    """Window and output; which cell wins, or what the mean is over."""
    channel, i, j = step.cell
    winner = None if step.winner is None else step.pixels[step.winner]
    won = () if winner is None else ((winner.row, winner.column),)
    lines = beside(
        input_matrix(pooling, channel, (i, j), won),
        plain_matrix(_name("output", output, channel), output[channel], ((i, j),)),
    )
    result = _indexed("output", step.cell, len(output) > 1)
    values = [number(pixel.value) for pixel in step.pixels if pixel.value is not None]
    if step.divisor is None:
        where = "padding alone" if winner is None else f"row {winner.row}, column {winner.column}"
        text = f"{result} = max({', '.join(values)}) = {number(step.result)}, from {where}"
    else:
        text = (
            f"{result} = ({' + '.join(values)}) / {step.divisor} = "
            f"{number(step.sum)} / {step.divisor} = {number(step.result)}"
        )
    return [*lines, Text(), *wrapped(text)]


def gradient_lines(
    backward: Backward | PoolingBackward, gradient: Tensor, step: GradientStep
) -> list[Text]:
    """The outputs that take part, what they were multiplied by, the sum and its place."""
    forward, lead = backward.forward, step.at[:-2]
    pictures: list[Matrix] = []
    outs = list(dict.fromkeys(share.output[0] for share in step.shares))
    for out in outs[:MAX_CHANNELS]:
        marks = [share.output[1:] for share in step.shares if share.output[0] == out]
        pictures.append(
            plain_matrix(_name("dL/dy", backward.grad_y, out), backward.grad_y[out], marks)
        )
    if step.of == "kernel" and step.shares:
        places = [(share.pixel.row, share.pixel.column) for share in step.shares]
        pictures.append(input_matrix(forward, step.shares[0].pixel.channel, None, places))
    title = _name(f"dL/d{step.of}", gradient, *lead)
    pictures.append(plain_matrix(title, gradient[lead], [step.at[-2:]]))
    lines = [*beside(*pictures), Text()]
    if step.shares:
        lines += [*_share_table(backward, step), Text()]
    if len(step.shares) > MAX_LINES:
        note = f"  (the first {MAX_LINES} of {len(step.shares)} products; --json has all)"
        lines[-1:] = [Text(note, style="dim"), Text()]
    several = any(size > 1 for size in gradient.shape[: len(lead)])
    name = _indexed(f"dL/d{step.of}", step.at, several)
    return [*lines, *equation(name, [share.product for share in step.shares], None, step.sum)]


def _share_table(backward: Backward | PoolingBackward, step: GradientStep) -> list[Text]:
    """A line for each share: the output, its slope, what it met, their product."""
    if step.of == "kernel":
        factor = "pixel"
    else:
        factor = "kernel" if isinstance(backward, Backward) else "share"
    rows: list[tuple[str, ...]] = []
    for share in step.shares[:MAX_LINES]:
        pixel = share.pixel
        met = pixel.channel, pixel.row, pixel.column
        where = ",".join(
            map(str, met if share.entry is None or step.of == "kernel" else share.entry)
        )
        output, border = ",".join(map(str, share.output)), "padding" if pixel.padding else ""
        rows.append((output, number(share.slope), "x", _signed(share.factor), "=",
                     number(share.product), where, border))  # fmt: skip
    heads = ("output", "dL/dy", "", factor, "", "product", f"{factor} at", "")
    if not any(row[-1] for row in rows):
        rows, heads = [row[:-1] for row in rows], heads[:-1]
    return table(heads, rows)


def equation(name: str, terms: Sequence[float], bias: float | None, total: float) -> list[Text]:
    """`name = term + term + bias = total`, on as many lines as it takes."""
    shown = " + ".join(map(_signed, terms))
    if len(terms) > 64:
        shown = f"the sum of {len(terms)} products"
    elif not terms:
        shown = "nothing reads it"
    if bias is not None:
        shown += f" + bias {number(bias)}"
    return wrapped(f"{name} = {shown} = {number(total)}")


def plain_matrix(title: str, values: Tensor, marked: Sequence[Place] = ()) -> Matrix:
    """A matrix of numbers with some cells in brackets."""
    return Matrix(
        title=title,
        rows=range(values.shape[0]),
        columns=range(values.shape[1]),
        text=lambda row, column: number(values[row, column].item()),
        marked={(cell[0], cell[1]) for cell in marked},
    )


def input_matrix(
    operation: Correlation | Pooling,
    channel: int,
    output: tuple[int, int] | None,
    marked: Sequence[tuple[int, int]] = (),
) -> Matrix:
    """A channel of the input with its padding, the window of an output in a box.

    A window with holes has the cells that it reads in brackets.
    """
    x, rows, columns = operation.x, operation.geometry.rows, operation.geometry.columns
    _, height, width = operation.output_shape()
    box: tuple[range, range] | None = None
    if output is not None:
        row_taps, column_taps = rows.taps(output[0]), columns.taps(output[1])
        box = range(row_taps[0], row_taps[-1] + 1), range(column_taps[0], column_taps[-1] + 1)
        if max(rows.dilation, columns.dilation) > 1 and not marked:
            marked = [(row, column) for row in row_taps for column in column_taps]
    return Matrix(
        title=_name("input", x, channel),
        rows=_with_padding(rows, x.shape[1], height),
        columns=_with_padding(columns, x.shape[2], width),
        text=lambda row, column: number(operation.pixel(channel, row, column).value),
        box=box,
        marked=set(marked),
        size=(x.shape[1], x.shape[2]),
    )


def _with_padding(window: Window, size: int, count: int) -> range:
    """The axis with its padding, and beyond it as far as the last window reaches."""
    return range(-window.padding, max(size + window.padding, window.taps(count - 1)[-1] + 1))


def _aligned(products: Sequence[Product]) -> list[str]:
    columns = zip(
        *((number(p.pixel.value), _signed(p.weight), number(p.product)) for p in products),
        strict=True,
    )
    values, weights, results = (
        [cell.rjust(max(map(len, column))) for cell in column] for column in columns
    )
    return [f"{v} x {w} = {r}" for v, w, r in zip(values, weights, results, strict=True)]


def _signed(value: float) -> str:
    return f"({number(value)})" if value < 0 else number(value)


def _name(what: str, tensor: Tensor, *channels: int) -> str:
    several = any(size > 1 for size in tensor.shape[: len(channels)])
    return f"{what}[{','.join(map(str, channels))}]" if several else what


def _indexed(what: str, place: Place, with_channels: bool) -> str:
    return f"{what}[{','.join(map(str, place if with_channels else place[-2:]))}]"


def wrapped(text: str) -> list[Text]:
    """A sentence on as many lines as it takes."""
    return [Text(line) for line in textwrap.wrap(text, WIDTH, subsequent_indent="    ")]
