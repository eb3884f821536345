"""Seen: what each place of a tensor sees of an image, and along which of its dims places lie.

A tensor inside a network is not always (n, c, h, w): a linear layer on each pixel wants channels
last and pixels in one row, a shuffle of channels splits them in two. So each dim is a row of
pieces, the slowest first, and a piece is either places along an axis of the image or anything
else. Views only regroup the pieces, so what the places see survives them.

Source: Araujo, Norris and Sim (2019), https://distill.pub/2019/computing-receptive-fields.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import pairwise
from math import prod

from convlens.inspection.fields.sight import Move, Sight, slide
from convlens.ops.window import Window


@dataclass(frozen=True, slots=True)
class Piece:
    """A factor of the size of a dim."""

    size: int
    axis: int | None = None  # of the image: 0 rows, 1 columns; None: anything else


Dim = tuple[Piece, ...]  # the slowest first


@dataclass(frozen=True, slots=True)
class Seen:
    """The pieces of each dim, and the sights of rows and columns, None where all is seen."""

    dims: tuple[Dim, ...]
    sights: tuple[Sight | None, Sight | None]


def image(shape: Sequence[int]) -> Seen:
    """Of an image: each pixel sees itself.

    >>> image((1, 3, 8, 9)).dims
    ((), (Piece(size=3, axis=None),), (Piece(size=8, axis=0),), (Piece(size=9, axis=1),))
    """
    n, c, h, w = shape
    sights = Sight(Window(1), h), Sight(Window(1), w)
    return Seen((_dim(n), _dim(c), (Piece(h, 0),), (Piece(w, 1),)), sights)


def everything(shape: Sequence[int]) -> Seen:
    """Each place sees the whole image."""
    return Seen(tuple(_dim(size) for size in shape), (None, None))


def only_axis(dim: Dim) -> int | None:
    """The axis of the image along which this dim lies, if it is nothing else as well."""
    return dim[0].axis if len(dim) == 1 else None


def blurred(seen: Seen, axes: Iterable[int]) -> Seen:
    """The same, but each place sees all of these axes of the image."""
    lost = set(axes)
    dims = [
        [Piece(piece.size) if piece.axis in lost else piece for piece in dim] for dim in seen.dims
    ]
    rows, columns = (None if axis in lost else sight for axis, sight in enumerate(seen.sights))
    return Seen(tuple(_tidy(dim) for dim in dims), (rows, columns))


def mixed(seen: Seen, dims: Iterable[int]) -> Seen:
    """Each place along these dims sees what all the places along them saw."""
    return blurred(seen, _axes_in(seen.dims[dim] for dim in dims))


def resized(seen: Seen, dim: int, size: int) -> Seen:
    """As `mixed`, and the dim has a new size."""
    return _with_dim(mixed(seen, [dim]), dim, _dim(size))


def moved(seen: Seen, dim: int, move: Move, size: int) -> Seen:
    """`size` places along `dim`, which see what `move` makes of the sight of its axis."""
    axis = only_axis(seen.dims[dim])
    sight = None if axis is None else seen.sights[axis]
    after = None if sight is None else move(sight)
    if axis is None or after is None:
        return resized(seen, dim, size)
    return _with_dim(_with_sight(seen, axis, after), dim, (Piece(size, axis),))


def permuted(seen: Seen, order: Sequence[int]) -> Seen:
    """The dims in another order."""
    return replace(seen, dims=tuple(seen.dims[dim] for dim in order))


def without(seen: Seen, dims: Iterable[int]) -> Seen:
    """As `mixed`, and the dims are gone."""
    dropped = {dim % len(seen.dims) for dim in dims}
    rest = mixed(seen, dropped)
    return replace(rest, dims=tuple(d for i, d in enumerate(rest.dims) if i not in dropped))


def united(parts: Sequence[Seen], shape: Sequence[int]) -> Seen:
    """Each place sees what it sees in any of the parts, broadcast to `shape`."""
    return reduce(_union, (_broadcast(part, shape) for part in parts))


def regrouped(seen: Seen, shape: Sequence[int]) -> Seen:
    """What a view of this shape sees; a dim that splits an axis sees it in steps.

    >>> halves = regrouped(image((1, 3, 8, 9)), (1, 3, 4, 2, 9))
    >>> halves.dims[2:], halves.sights[0].window
    (((Piece(size=4, axis=0),), (Piece(size=2, axis=None),), (Piece(size=9, axis=1),)), \
Window(kernel=2, stride=2, padding=0, dilation=1))
    """
    sizes = [prod(piece.size for piece in dim) for dim in seen.dims]
    if sizes == list(shape):
        return seen
    if prod(sizes) != prod(shape):
        return everything(shape)  # numbers of another type
    pieces = [piece for dim in reversed(seen.dims) for piece in reversed(dim)]  # the next is last
    dims: list[list[Piece]] = []
    for size, following in pairwise((*shape, 0)):
        taken: list[Piece] = []
        room = size
        while pieces and room > 1:
            piece = pieces.pop()
            if room % piece.size:  # the dim ends inside this piece
                if piece.size % room:
                    return everything(shape)
                inner = piece.size // room
                seen = _in_steps(seen, piece.axis, inner)
                pieces.append(Piece(inner))
                piece = Piece(room, piece.axis)
            taken.append(piece)
            room //= piece.size
        while pieces and pieces[-1].size == 1 and (following != 1 or not (taken or size > 1)):
            taken.append(pieces.pop())  # an axis of one place, that this dim has room for too
        dims.append(taken)
    return blurred(Seen(tuple(map(_tidy, dims)), seen.sights), _axes_in([tuple(pieces)]))


def _dim(size: int) -> Dim:
    return () if size == 1 else (Piece(size),)


def _tidy(dim: Iterable[Piece]) -> Dim:
    """Without pieces of size 1 that lie along no axis, and neighbours along none as one."""
    tidy: list[Piece] = []
    for piece in dim:
        if piece.axis is None and tidy and tidy[-1].axis is None:
            tidy[-1] = Piece(tidy[-1].size * piece.size)
        elif piece != Piece(1):
            tidy.append(piece)
    return tuple(tidy)


def _axes_in(dims: Iterable[Dim]) -> set[int]:
    return {piece.axis for dim in dims for piece in dim if piece.axis is not None}


def _with_dim(seen: Seen, dim: int, new: Dim) -> Seen:
    place = dim % len(seen.dims)
    return replace(seen, dims=(*seen.dims[:place], new, *seen.dims[place + 1 :]))


def _with_sight(seen: Seen, axis: int, sight: Sight) -> Seen:
    rows, columns = seen.sights
    return replace(seen, sights=(sight, columns) if axis == 0 else (rows, sight))


def _in_steps(seen: Seen, axis: int | None, step: int) -> Seen:
    sight = None if axis is None else seen.sights[axis]
    after = None if sight is None else slide(Window(step, stride=step))(sight)
    return seen if axis is None or after is None else _with_sight(seen, axis, after)


def _broadcast(seen: Seen, shape: Sequence[int]) -> Seen:
    added = len(shape) - len(seen.dims)
    seen = replace(seen, dims=(((),) * added) + seen.dims)
    for dim, size in enumerate(shape):
        if prod(piece.size for piece in seen.dims[dim]) != size:
            seen = resized(seen, dim, size)
    return seen


def _union(a: Seen, b: Seen) -> Seen:
    lost: set[int] = set()
    sights: list[Sight | None] = []
    for axis, (mine, its) in enumerate(zip(a.sights, b.sights, strict=True)):
        if mine is None or its is None or mine.window.stride != its.window.stride:
            lost.add(axis)
            sights.append(None)
        else:
            window = mine.window.union(its.window)
            sights.append(replace(mine, window=window, mirrored=max(mine.mirrored, its.mirrored)))
    a, b = blurred(a, lost), blurred(b, lost)
    if a.dims != b.dims:  # the same axis along different dims
        return blurred(a, (0, 1))
    return Seen(a.dims, (sights[0], sights[1]))
