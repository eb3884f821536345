"""Matrix: a convolution written out as the sparse matrix that it is.

A fully connected layer multiplies the flattened image by a matrix of free numbers. So does
a correlation, and its matrix shows what was given up: locality is where the zeros are (an output
reads only the pixels under its window), translation invariance is the repeated entries (each
row holds the same kernel). The transposed correlation is the transposed matrix.

Source: d2l 7.1, 7.2 exercise 4; Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285,
section 4.1.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from convlens.core.errors import ShapeError
from convlens.ops.algorithms.padding import add_bias
from convlens.ops.geometry import Geometry, PaddingMode, source
from convlens.ops.window import Window

MAX_ENTRIES = 50_000_000  # an entry takes 20 bytes in float32: two indices and its value


def correlation_matrix(
    kernel: Float[Tensor, "o cg kh kw"],
    geometry: Geometry,
    size: tuple[int, int],
    output_size: tuple[int, int] | None = None,
) -> Float[Tensor, "ooh chw"]:
    """The sparse matrix M with `y.flatten() = M @ x.flatten()` for an image of `size`.

    Each of the o oh ow rows holds a kernel, entry (a, b) at the pixel it multiplies; where a
    padding mode sends two entries to one pixel, they add up. `output_size` keeps the first rows
    and columns of the output only.

    >>> kernel = torch.tensor([[[[1.0, 2.0]]]])
    >>> correlation_matrix(kernel, Geometry.of((1, 2)), (1, 4)).to_dense()
    tensor([[1., 2., 0., 0.],
            [0., 1., 2., 0.],
            [0., 0., 1., 2.]])

    Raises:
        ShapeError: the matrix would have more than 50 million entries.
    """
    height, width = output_size or geometry.output_size(*size)
    out_channels, in_channels = kernel.shape[0], kernel.shape[1] * geometry.groups
    _check_entries(kernel, height * width)
    mode = geometry.padding_mode
    i, a, r = _reads(geometry.rows, size[0], height, mode, kernel.device)
    j, b, s = _reads(geometry.columns, size[1], width, mode, kernel.device)
    o = torch.arange(out_channels, device=kernel.device)[:, None, None, None]
    c = torch.arange(kernel.shape[1], device=kernel.device)[:, None, None]
    first = o // (out_channels // geometry.groups) * kernel.shape[1]  # the group's first channel
    row = (o * height + i[:, None]) * width + j
    column = ((first + c) * size[0] + r[:, None]) * size[1] + s
    values = kernel[:, :, a[:, None], b]  # o c/g (rows read) (columns read)
    indices = torch.stack([index.expand(values.shape).flatten() for index in (row, column)])
    shape = (out_channels * height * width, in_channels * size[0] * size[1])
    matrix = torch.sparse_coo_tensor(indices, values.flatten(), shape, check_invariants=False)
    return matrix.coalesce()


def _check_entries(kernel: Tensor, places: int) -> None:
    entries = kernel.numel() * places
    if entries > MAX_ENTRIES:
        raise ShapeError(
            f"kernel {tuple(kernel.shape)} on {places:,} places of the output: its matrix has "
            f"{entries:,} entries, more than {MAX_ENTRIES:,}",
            fix="take a smaller image or another implementation",
        )


def _reads(
    window: Window, size: int, count: int, mode: PaddingMode, device: torch.device
) -> tuple[Tensor, Tensor, Tensor]:
    """All the reads along one axis: output i, tap a and the position both lead to."""
    reads: list[tuple[int, int, int]] = []
    for output in range(count):
        for tap, position in enumerate(window.taps(output)):
            place = source(position, size, mode)
            if place is not None:  # a zero of the padding has no column in the matrix
                reads.append((output, tap, place))
    table = torch.tensor(reads, device=device, dtype=torch.int64).reshape(-1, 3)
    return table[:, 0], table[:, 1], table[:, 2]


def correlate(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "o cg kh kw"],
    bias: Float[Tensor, "o"] | None,
    geometry: Geometry,
) -> Float[Tensor, "n o oh ow"]:
    """`M @ x`, one column per image."""
    size = (x.shape[2], x.shape[3])
    matrix = correlation_matrix(kernel, geometry, size)
    y = torch.sparse.mm(matrix, x.flatten(1).T).T
    return add_bias(y.reshape(-1, kernel.shape[0], *geometry.output_size(*size)), bias)


def transpose(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "c og kh kw"],
    bias: Float[Tensor, "o"] | None,
    geometry: Geometry,
    output_padding: tuple[int, int],
) -> Float[Tensor, "n o oh ow"]:
    """`M^T @ x`, with M the matrix of the correlation from the output to `x`."""
    size = geometry.transposed_size(x.shape[2], x.shape[3], output_padding)
    matrix = correlation_matrix(kernel, geometry, size, (x.shape[2], x.shape[3]))
    y = torch.sparse.mm(matrix.t(), x.flatten(1).T).T
    return add_bias(y.reshape(x.shape[0], geometry.groups * kernel.shape[1], *size), bias)


def kernel_of(
    matrix: Float[Tensor, "outputs inputs"], geometry: Geometry, size: tuple[int, int]
) -> Float[Tensor, "kh kw"] | None:
    """The kernel whose one-channel correlation is `matrix`; None if there is no such kernel.

    There is one exactly if the matrix is local (zero outside the windows) and translation
    invariant (the same numbers in each window).

    >>> geometry = Geometry.of((1, 2))
    >>> kernel_of(torch.tensor([[3.0, 4.0, 0.0], [0.0, 3.0, 4.0]]), geometry, (1, 3))
    tensor([[3., 4.]])
    >>> kernel_of(torch.tensor([[3.0, 4.0, 0.0], [0.0, 5.0, 4.0]]), geometry, (1, 3)) is None
    True

    Raises:
        ShapeError: a window reads padding; then no row need hold the whole kernel.
    """
    if geometry.padding != (0, 0):
        raise ShapeError(f"{geometry}: the kernel is read off the matrix without padding only")
    pixels = [
        row * size[1] + column
        for row in geometry.rows.taps(0)
        for column in geometry.columns.taps(0)
    ]
    kernel = matrix[0, pixels].reshape(geometry.kernel_size)
    expected = correlation_matrix(kernel[None, None], geometry, size).to_dense()
    if matrix.shape != expected.shape or not torch.equal(matrix, expected):
        return None
    return kernel


@dataclass(frozen=True, slots=True)
class Step:
    """One step from a fully connected layer to a convolution."""

    name: str
    formula: str
    num_weights: int
    num_biases: int

    @property
    def num_parameters(self) -> int:
        """Weights and biases."""
        return self.num_weights + self.num_biases


def steps_from_dense(
    height: int, width: int, delta: int, *, in_channels: int = 1, out_channels: int = 1
) -> tuple[Step, ...]:
    """What each assumption of section 7.1 saves, hidden layer and image of the same size.

    >>> for step in steps_from_dense(1000, 1000, 10):
    ...     print(f"{step.name:22} {step.num_weights:>17,}")
    fully connected        1,000,000,000,000
    re-indexed             1,000,000,000,000
    translation invariance         3,996,001
    locality                             441
    channels                             441
    """
    if min(height, width, in_channels, out_channels) < 1 or delta < 0:
        raise ShapeError(
            f"{height} x {width} image, delta={delta}, channels {in_channels} to {out_channels}: "
            "sizes and channels must be >= 1, delta >= 0"
        )
    pixels = height * width
    offsets = (2 * height - 1) * (2 * width - 1)  # a from -(h - 1) to h - 1, b likewise
    taps = (2 * delta + 1) ** 2
    return (
        Step("fully connected", "H[i,j] = U[i,j] + sum_kl W[i,j,k,l] X[k,l]", pixels**2, pixels),
        Step("re-indexed", "H[i,j] = U[i,j] + sum_ab V[i,j,a,b] X[i+a,j+b]", pixels**2, pixels),
        Step("translation invariance", "H[i,j] = u + sum_ab V[a,b] X[i+a,j+b]", offsets, 1),
        Step("locality", "the same sum, only |a| <= delta and |b| <= delta", taps, 1),
        Step(
            "channels",
            "H[i,j,d] = u[d] + sum_abc V[a,b,c,d] X[i+a,j+b,c]",
            taps * in_channels * out_channels,
            out_channels,
        ),
    )
