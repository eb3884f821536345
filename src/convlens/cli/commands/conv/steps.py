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
MAX_LINES = 16  # of products in one step
Place = tuple[int, ...]


def correlation_lines(forward: Correlation, output: Tensor, step: CorrelationStep) -> list[Text]:
    """Window, kernel and output; every product; the sum."""
    out, i, j = step.cell
    per_channel = forward.geometry.rows.kernel * forward.geometry.columns.kernel
    lines: list[Text] = []
    sums: list[float] = []
    for start in range(0, len(step.products), per_channel):
        products = step.products[start : start + per_channel]
        sums.append(sum((product.product for product in products), start=0.0))
        if len(sums) > MAX_CHANNELS:
            continue
        channel, within = products[0].pixel.channel, products[0].entry[1]
        pictures = [
            input_matrix(forward, channel, i, j),
            plain_matrix(
                _name(
                    "kernel, turned" if forward.turned else "kernel", forward.kernel, out, within
                ),
                forward.applied[out, within],
            ),
        ]
        if len(sums) == 1:
            pictures.append(plain_matrix(_name("output", output, out), output[out], ((i, j),)))
        lines += [*beside(*pictures), Text(), *product_lines(forward, products), Text()]
    hidden = len(sums) - MAX_CHANNELS
    if hidden > 0:
        lines.append(Text(f"({hidden} more channels are in the sum, not shown)", style="dim"))
    terms = (
        [number(p.product) for p in step.products] if len(sums) == 1 else list(map(number, sums))
    )
    result = _indexed("output", step.cell, len(output) > 1)
    return lines + equation(
        result, terms, step.bias if forward.bias is not None else None, step.sum
    )


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
        input_matrix(pooling, channel, i, j, won),
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
    return [*lines, Text(), *_wrapped(text)]


def gradient_lines(
    backward: Backward | PoolingBackward, gradient: Tensor, step: GradientStep
) -> list[Text]:
    """The gradient with its place marked, the outputs that take part, and their shares."""
    grad_y = backward.grad_y
    name = _indexed(f"dL/d{step.of}", step.at, True)
    whole = gradient[step.at[:-2]]
    pictures = [plain_matrix(f"dL/d{step.of}{list(step.at[:-2])}", whole, (step.at[-2:],))]
    outs = list(dict.fromkeys(share.output[0] for share in step.shares))
    for out in outs[:MAX_CHANNELS]:
        marks = [share.output[1:] for share in step.shares if share.output[0] == out]
        pictures.insert(0, plain_matrix(_name("dL/dy", grad_y, out), grad_y[out], marks))
    factor = (
        "pixel" if step.of == "kernel" else "kernel" if isinstance(backward, Backward) else "share"
    )
    rows: list[tuple[str, ...]] = []
    for share in step.shares[:MAX_LINES]:
        pixel = share.pixel
        place: Place = (pixel.channel, pixel.row, pixel.column)
        if step.of == "x":
            place = share.entry or share.output
        where = ",".join(map(str, place)) + (" padding" if pixel.padding else "")
        output = ",".join(map(str, share.output))
        shown = number(share.slope), number(share.factor), number(share.product)
        rows.append((output, shown[0], "x", where, shown[1], "=", shown[2]))
    heads = ("output", "dL/dy", "", f"{factor} at", factor, "", "product")
    lines = [*beside(*pictures), Text(), *table(heads, rows)]
    if len(step.shares) > MAX_LINES:
        note = f"  (the first {MAX_LINES} of {len(step.shares)} products; --json has all)"
        lines.append(Text(note, style="dim"))
    terms = [number(share.product) for share in step.shares]
    return [*lines, *equation(name, terms, None, step.sum)]


def equation(name: str, terms: Sequence[str], bias: float | None, total: float) -> list[Text]:
    """`name = term + term + bias = total`, on as many lines as it takes."""
    shown = " + ".join(f"({term})" if term.startswith("-") else term for term in terms)
    if len(terms) > 64:
        shown = f"the sum of {len(terms)} products"
    elif not terms:
        shown = "nothing reads it"
    if bias is not None:
        shown += f" + bias {number(bias)}"
    return _wrapped(f"{name} = {shown} = {number(total)}")


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
    i: int,
    j: int,
    marked: Sequence[tuple[int, int]] = (),
) -> Matrix:
    """A channel of the input with its padding, the window of output (i, j) in a box.

    A window with holes has the cells that it reads in brackets.
    """
    x, rows, columns = operation.x, operation.geometry.rows, operation.geometry.columns
    row_taps, column_taps = rows.taps(i), columns.taps(j)
    if max(rows.dilation, columns.dilation) > 1 and not marked:
        marked = [(row, column) for row in row_taps for column in column_taps]
    return Matrix(
        title=_name("input", x, channel),
        rows=_with_padding(rows, x.shape[1], row_taps),
        columns=_with_padding(columns, x.shape[2], column_taps),
        text=lambda row, column: number(operation.pixel(channel, row, column).value),
        box=(range(row_taps[0], row_taps[-1] + 1), range(column_taps[0], column_taps[-1] + 1)),
        marked=set(marked),
        size=(x.shape[1], x.shape[2]),
    )


def _with_padding(window: Window, size: int, taps: range) -> range:
    return range(-window.padding, max(size + window.padding, taps[-1] + 1))


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


def _wrapped(text: str) -> list[Text]:
    return [Text(line) for line in textwrap.wrap(text, WIDTH, subsequent_indent="    ")]
