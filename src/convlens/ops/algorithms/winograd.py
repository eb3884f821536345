"""Winograd: a 3x3 correlation with fewer multiplications than it has products.

The output is cut into tiles of m x m. A tile reads (m + 2) x (m + 2) pixels and has 9 m^2
products per channel; Winograd's minimal filtering F(m x m, 3 x 3) makes it from (m + 2)^2:

    Y = A^T [ (G g G^T) * (B^T d B) ] A        * cell by cell

with d the pixels of the tile, g the kernel and A, B, G the fixed matrices below. The
multiplications per pixel and channel fall from 9 to 4 (m = 2) or 2.25 (m = 4). Over many
channels the cell-by-cell products are summed first, which makes each cell a matrix product,
and only the sum is transformed back.

The price is accuracy, as the entries of the matrices grow with m: see docs/numerics.md. And a
NaN or an infinity in a pixel spreads over its whole tile.

Source: Lavin and Gray (2015), https://arxiv.org/abs/1509.09308, section 4.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from jaxtyping import Float
from torch import Tensor

from convlens.ops.algorithms.padding import add_bias, pad
from convlens.ops.geometry import Geometry

Rows = tuple[tuple[int | float, ...], ...]


@dataclass(frozen=True, slots=True)
class Transform:
    """The three matrices of F(m x m, 3 x 3)."""

    tile: int  # m, the side of an output tile
    data: Rows  # B^T
    kernel: Rows  # G
    output: Rows  # A^T

    def amplification(self) -> float:
        """How much larger the terms inside may be than the largest pixel times kernel entry.

        The product of the greatest row sums of `|A^T|`, `|G|` and `|B^T|`, squared as each acts
        on rows and on columns. Rounding errors are relative to the terms, so this bounds
        what the transforms can make of them.
        """
        worst = 1.0
        for rows in (self.output, self.kernel, self.data):
            worst *= max(sum(abs(entry) for entry in row) for row in rows)
        return worst * worst


F2 = Transform(
    tile=2,
    data=((1, 0, -1, 0), (0, 1, 1, 0), (0, -1, 1, 0), (0, 1, 0, -1)),
    kernel=((1, 0, 0), (1 / 2, 1 / 2, 1 / 2), (1 / 2, -1 / 2, 1 / 2), (0, 0, 1)),
    output=((1, 1, 1, 0), (0, 1, -1, -1)),
)
F4 = Transform(
    tile=4,
    data=(
        (4, 0, -5, 0, 1, 0),
        (0, -4, -4, 1, 1, 0),
        (0, 4, -4, -1, 1, 0),
        (0, -2, -1, 2, 1, 0),
        (0, 2, -1, -2, 1, 0),
        (0, 4, 0, -5, 0, 1),
    ),
    kernel=(
        (1 / 4, 0, 0),
        (-1 / 6, -1 / 6, -1 / 6),
        (-1 / 6, 1 / 6, -1 / 6),
        (1 / 24, 1 / 12, 1 / 6),
        (1 / 24, -1 / 12, 1 / 6),
        (0, 0, 1),
    ),
    output=((1, 1, 1, 1, 1, 0), (0, 1, -1, 2, -2, 0), (0, 1, 1, 4, 4, 0), (0, 1, -1, 8, -8, 1)),
)


def refusal(geometry: Geometry) -> str:
    """Why these transforms cannot do a geometry, or "" if they can.

    >>> refusal(Geometry.of(3, stride=2))
    'its tiles are for a 3x3 kernel with stride 1 and dilation 1; this is a 3x3, stride 2x2, \
dilation 1x1'
    """
    rows, columns = geometry.rows, geometry.columns
    if all((w.kernel, w.stride, w.dilation) == (3, 1, 1) for w in (rows, columns)):
        return ""
    return (
        "its tiles are for a 3x3 kernel with stride 1 and dilation 1; "
        f"this is a {rows.kernel}x{columns.kernel}, stride {rows.stride}x{columns.stride}, "
        f"dilation {rows.dilation}x{columns.dilation}"
    )


def correlate_by(
    transform: Transform,
) -> Callable[[Tensor, Tensor, Tensor | None, Geometry], Tensor]:
    """The correlation by tiles of `transform`."""

    def correlate(
        x: Float[Tensor, "n c h w"],
        kernel: Float[Tensor, "o cg kh kw"],
        bias: Float[Tensor, "o"] | None,
        geometry: Geometry,
    ) -> Float[Tensor, "n o oh ow"]:
        height, width = geometry.output_size(*x.shape[2:])
        tiles = _tiles(pad(x, geometry), transform.tile, height, width)
        data, spread, gather = (
            x.new_tensor(rows) for rows in (transform.data, transform.kernel, transform.output)
        )
        groups = geometry.groups
        v = (data @ tiles @ data.T).unflatten(1, (groups, -1))  # n g c/g th tw s s
        u = (spread @ kernel @ spread.T).unflatten(0, (groups, -1))  # g o/g c/g s s
        # At each of the s x s cells a matrix product over the channels.
        m = torch.einsum("ngctuab,gocab->ngotuab", v, u)
        y = gather @ m @ gather.T  # n g o/g th tw m m
        y = y.flatten(1, 2).permute(0, 1, 2, 4, 3, 5).flatten(4, 5).flatten(2, 3)
        return add_bias(y[:, :, :height, :width], bias)

    return correlate


def _tiles(padded: Tensor, tile: int, height: int, width: int) -> Tensor:
    """The overlapping inputs of the output's tiles; the last ones filled up with zeros."""
    down, right = -height % tile, -width % tile
    filled = F.pad(padded, (0, right, 0, down))
    return filled.unfold(2, tile + 2, tile).unfold(3, tile + 2, tile)  # n c th tw s s
