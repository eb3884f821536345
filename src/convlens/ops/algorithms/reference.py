"""Reference: each operation as the loops that define it, slow and plain.

The loops run over the places of the output and over the taps of the window. What is summed
at one tap is a product over the channels, for the whole batch at once. Every other
implementation is tested against this one, and this one against torch.
"""

import math
from collections import defaultdict
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from convlens.ops.algorithms.padding import add_bias
from convlens.ops.geometry import Geometry, PoolGeometry, Reduce, source
from convlens.ops.window import Window


def correlate(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "o cg kh kw"],
    bias: Float[Tensor, "o"] | None,
    geometry: Geometry,
) -> Float[Tensor, "n o oh ow"]:
    """`y[i, j] = bias + sum over a, b of kernel[a, b] @ x[rows.taps(i)[a], columns.taps(j)[b]]`.

    >>> x, kernel = torch.arange(9.0).reshape(1, 1, 3, 3), torch.arange(4.0).reshape(1, 1, 2, 2)
    >>> correlate(x, kernel, None, Geometry.of(2))
    tensor([[[[19., 25.],
              [37., 43.]]]])
    """
    height, width = geometry.output_size(*x.shape[2:])
    size, mode = x.shape[2:], geometry.padding_mode
    x = x.unflatten(1, (geometry.groups, 1, -1))  # n g 1 c/g h w
    kernel = kernel.unflatten(0, (geometry.groups, -1))  # g o/g c/g kh kw
    zero = outside = _zero(x, kernel)
    lines: list[Tensor] = []
    for i in range(height):
        line: list[Tensor] = []
        for j in range(width):
            total = zero
            for a, row in enumerate(geometry.rows.taps(i)):
                for b, column in enumerate(geometry.columns.taps(j)):
                    r, s = source(row, size[0], mode), source(column, size[1], mode)
                    pixel = outside if r is None or s is None else x[..., r, s]
                    total = total + (pixel * kernel[..., a, b]).sum(-1)
            line.append(total.expand(x.shape[0], *kernel.shape[:2]))  # n g o/g
        lines.append(torch.stack(line, -1))
    return add_bias(torch.stack(lines, -2).flatten(1, 2), bias)


def transpose(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "c og kh kw"],
    bias: Float[Tensor, "o"] | None,
    geometry: Geometry,
    output_padding: tuple[int, int],
) -> Float[Tensor, "n o oh ow"]:
    """Every number of `x` is given, times the kernel, to the places a correlation reads it from.

    >>> x, kernel = torch.ones(1, 1, 2, 2), torch.ones(1, 1, 2, 2)
    >>> transpose(x, kernel, None, Geometry.of(2), (0, 0))
    tensor([[[[1., 2., 1.],
              [2., 4., 2.],
              [1., 2., 1.]]]])
    """
    height, width = geometry.transposed_size(x.shape[2], x.shape[3], output_padding)
    row_readers = _readers(geometry.rows, x.shape[2])
    column_readers = _readers(geometry.columns, x.shape[3])
    x = x.unflatten(1, (geometry.groups, -1))  # n g c/g h w
    kernel = kernel.unflatten(0, (geometry.groups, -1)).transpose(1, 2)  # g o/g c/g kh kw
    zero = _zero(x, kernel)
    lines: list[Tensor] = []
    for row in range(height):
        line: list[Tensor] = []
        for column in range(width):
            total = zero
            for i, a in row_readers[row]:
                for j, b in column_readers[column]:
                    total = total + (x[:, :, None, :, i, j] * kernel[..., a, b]).sum(-1)
            line.append(total.expand(x.shape[0], *kernel.shape[:2]))  # n g o/g
        lines.append(torch.stack(line, -1))
    return add_bias(torch.stack(lines, -2).flatten(1, 2), bias)


def pool(x: Float[Tensor, "n c h w"], geometry: PoolGeometry, reduce: Reduce) -> Tensor:
    """The greatest, or the mean, of the cells each window covers.

    The mean divides by the cells of the image, or with `count_include_pad` by those of the
    padded image.

    >>> pool(torch.arange(9.0).reshape(1, 1, 3, 3), PoolGeometry.of(2, stride=1), "max")
    tensor([[[[4., 5.],
              [7., 8.]]]])
    """
    height, width = geometry.output_size(*x.shape[2:])
    rows, columns = (
        [[tap for tap in window.taps(i) if 0 <= tap < size] for i in range(count)]
        for window, size, count in (
            (geometry.rows, x.shape[2], height),
            (geometry.columns, x.shape[3], width),
        )
    )
    return _reduce(x, rows, columns, reduce, geometry.cells(*x.shape[2:]))


def adaptive_pool(
    x: Float[Tensor, "n c h w"], output_size: tuple[int, int], reduce: Reduce
) -> Tensor:
    """The greatest, or the mean, of `output_size` windows that together cover each axis.

    Window `i` of `k` on an axis of `size` is `floor(i size / k)` to `ceil((i + 1) size / k)`.

    >>> adaptive_pool(torch.arange(5.0).reshape(1, 1, 1, 5), (1, 2), "avg")
    tensor([[[[1., 3.]]]])
    """
    rows, columns = (
        [range(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]
        for size, count in zip(x.shape[2:], output_size, strict=True)
    )
    cells = [len(taps) for taps in rows], [len(taps) for taps in columns]
    return _reduce(x, rows, columns, reduce, cells)


def _reduce(
    x: Tensor,
    rows: Sequence[Sequence[int]],
    columns: Sequence[Sequence[int]],
    reduce: Reduce,
    cells: tuple[list[int], list[int]],
) -> Tensor:
    """Reduce the cells of each window; an empty window has maximum -inf and mean 0."""
    zero = _zero(x)
    lines: list[Tensor] = []
    for i, row_taps in enumerate(rows):
        line: list[Tensor] = []
        for j, column_taps in enumerate(columns):
            seen = [x[:, :, row, column] for row in row_taps for column in column_taps]
            if reduce == "max":
                result = x.new_full(x.shape[:2], -math.inf) + zero
                for cell in seen:  # of equal cells the first counts, and NaN beats all
                    result = torch.where((cell > result) | cell.isnan(), cell, result)
            else:
                result = x.new_zeros(x.shape[:2]) + zero
                for cell in seen:
                    result = result + cell
                result = result / (cells[0][i] * cells[1][j])
            line.append(result)
        lines.append(torch.stack(line, -1))
    return torch.stack(lines, -2)


def _zero(*tensors: Tensor) -> Tensor:
    """The sum of no number of each: 0, with a gradient (of 0) for a result that reads nothing."""
    return torch.stack([tensor[:0].sum() for tensor in tensors]).sum()


def _readers(window: Window, count: int) -> dict[int, list[tuple[int, int]]]:
    """For each input position, the outputs that read it, and with which tap."""
    readers: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for output in range(count):
        for tap, position in enumerate(window.taps(output)):
            readers[position].append((output, tap))
    return readers
