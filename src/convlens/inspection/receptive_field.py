"""Receptive fields: which pixels can change a number deep inside a network.

Layer by layer a place sees more: a window on windows is a window (`Window.then`), and where
branches meet it is the union. The paper derives the same three numbers of a whole path at once:

    size   r_0 = sum over layers l of (k_l - 1) * (s_1 * ... * s_{l-1}) + 1     equation 2
    jump   S_0 = s_1 * ... * s_L                                                effective stride
    start      = - sum over layers l of p_l * (s_1 * ... * s_{l-1})             effective padding

Source: Araujo, Norris and Sim (2019), "Computing Receptive Fields of Convolutional Neural
Networks", https://distill.pub/2019/computing-receptive-fields.
Differs from the paper: branches with different sizes and paddings may meet, holes count as seen,
and what follows a global mean or a flattening sees the whole image.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import final

from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef

from convlens.core.errors import ShapeError
from convlens.inspection.fields.rules import Step, seen_by
from convlens.inspection.fields.seen import Seen, everything, image, only_axis
from convlens.inspection.watch import Call, Operation, Watcher, tensors_in, watching
from convlens.ops.window import Window

Box = tuple[int, int, int, int]  # top, left, bottom, right: from a pixel to before another


@final
@dataclass(frozen=True, slots=True)
class Field:
    """What each place of a tensor sees: rows and columns of the image, each by a window.

    Windows slide over the image: place (i, j) sees `rows.taps(i)` and `columns.taps(j)`. Their
    kernel is the field's size, their stride is its jump from place to place, and minus their
    padding is where the field of place 0 starts. Never smaller than the truth; larger where a
    dilated kernel leaves holes, where a crop starts inside, and where rules know no better.
    """

    rows: Window | None  # None: each place sees all of them
    columns: Window | None
    dims: tuple[int | None, int | None] = (2, 3)  # of the tensor, along which its places lie
    mirrored: tuple[int, int] = (0, 0)  # rows and columns at each edge that padding repeats

    @property
    def whole(self) -> bool:
        """Whether each place sees the whole image."""
        return self.rows is None and self.columns is None

    @property
    def size(self) -> tuple[int | None, int | None]:
        """Rows and columns that a place sees."""
        return _each(self, "kernel")

    @property
    def jump(self) -> tuple[int | None, int | None]:
        """Rows and columns from the field of one place to the field of the next."""
        return _each(self, "stride")

    @property
    def start(self) -> tuple[int | None, int | None]:
        """Row and column at which the field of place (0, 0) begins, below 0 in the padding."""
        top, left = _each(self, "padding")
        return None if top is None else -top, None if left is None else -left

    def box(self, row: int, column: int, height: int, width: int) -> Box:
        """Top, left, bottom and right of what a place sees of an image of this size.

        >>> Field(Window(7, 2, 3), Window(7, 2, 3)).box(0, 5, 224, 224)
        (0, 7, 4, 14)
        """
        top, bottom = _part(self.rows, self.mirrored[0], row, height)
        left, right = _part(self.columns, self.mirrored[1], column, width)
        return top, left, bottom, right


def receptive_fields(module: nn.Module, x: Tensor) -> dict[str, Field]:
    """What the output of each module sees of the images `x`, by path, in the order of calls.

    Of a module that is called more than once it is the first call, of one with many outputs the
    first of them. What sees nothing of `x` is left out. It is geometry, for this size of image:
    no weight is looked at, so all may be on the meta device. Numbers that leave the tensors
    (`y.item()`) are not followed.

    >>> net = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3))
    >>> from convlens.inspection.watch import inputs_like
    >>> fields = receptive_fields(net, inputs_like(net, 1, 1, 28, 28))
    >>> {path: (field.size[0], field.jump[0], field.start[0]) for path, field in fields.items()}
    {'': (8, 2, -1), '0': (3, 1, -1), '1': (4, 2, -1), '2': (8, 2, -1)}

    Raises:
        ShapeError: x is not (n, c, h, w).
    """
    if x.dim() != 4:
        raise ShapeError(
            f"x has the shape {tuple(x.shape)}", fix="give a batch of images, (n, c, h, w)"
        )
    watcher = _Follower(x)
    with watching(module, watcher):
        module(x)
    return {path: field for path, field in watcher.fields.items() if field is not None}


def _field(seen: Seen) -> Field:
    windows: list[Window | None] = [None, None]
    dims: list[int | None] = [None, None]
    mirrored = [0, 0]
    for dim, pieces in enumerate(seen.dims):
        axis = only_axis(pieces)
        sight = None if axis is None else seen.sights[axis]
        if axis is not None and sight is not None:
            windows[axis], dims[axis], mirrored[axis] = sight.window, dim, sight.mirrored
    return Field(windows[0], windows[1], (dims[0], dims[1]), (mirrored[0], mirrored[1]))


def _each(field: Field, name: str) -> tuple[int | None, int | None]:
    rows, columns = (
        None if window is None else getattr(window, name) for window in (field.rows, field.columns)
    )
    return rows, columns


def _part(window: Window | None, mirrored: int, index: int, size: int) -> tuple[int, int]:
    """The pixels from and to before which output `index` sees."""
    if window is None:
        return 0, size
    taps = window.taps(index)
    first, last = taps[0], taps[-1] + 1
    begin, end = max(first, 0), min(last, size)
    if first < 0:
        end = max(end, min(mirrored, size))
    if last > size:
        begin = min(begin, max(size - mirrored, 0))
    return min(begin, size), max(end, 0)


Place = tuple[StorageWeakRef, int, tuple[int, ...], tuple[int, ...]]  # where numbers lie in memory


@final
class _Follower(Watcher):
    """Follows what tensors see, by where their numbers lie, so that aliases are one tensor.

    An operation in place that changes what a part of some memory sees makes all that was known
    of other parts of it out of date. The references keep no memory, only its address from use.
    """

    def __init__(self, x: Tensor) -> None:
        self.fields: dict[str, Field | None] = {}
        self._done: set[str] = set()
        self._clock = 0
        self._written: dict[StorageWeakRef, int] = {}  # when
        self._seen: dict[Place, tuple[int, Seen]] = {_place(x): (0, image(x.shape))}

    def entered(self, call: Call) -> None:
        self.fields.setdefault(call.path, None)

    def left(self, call: Call, outputs: tuple[Tensor, ...]) -> None:
        if call.path not in self._done:
            self._done.add(call.path)
            seen = self._look(outputs[0]) if outputs else None
            self.fields[call.path] = None if seen is None else _field(seen)

    def operated(self, operation: Operation) -> None:
        self._clock += 1
        steps = (Step(operation, self._look, index) for index in range(len(operation.outputs)))
        found = [seen_by(step) for step in steps]
        inputs = tensors_in((operation.args, operation.kwargs))
        sighted = any(self._look(tensor) is not None for tensor in inputs)
        pairs = {_place(t): seen for t, seen in zip(operation.outputs, found, strict=True)}
        for written in _written(operation):
            place = _place(written)
            unknown = everything(written.shape) if sighted else None
            seen = pairs.get(place, unknown)
            if seen != self._look(written):
                self._written[place[0]] = self._clock
                pairs[place] = seen
        for place, seen in pairs.items():
            if seen is not None:
                self._seen[place] = self._clock, seen

    def _look(self, tensor: object) -> Seen | None:
        if not isinstance(tensor, Tensor):
            return None
        place = _place(tensor)
        stamp, seen = self._seen.get(place, (0, None))
        if stamp < self._written.get(place[0], 0):
            return everything(tensor.shape)
        return seen


def _place(tensor: Tensor) -> Place:
    storage = StorageWeakRef(tensor.untyped_storage())
    return storage, int(tensor.storage_offset()), tuple(tensor.shape), tensor.stride()


def _written(operation: Operation) -> Iterator[Tensor]:
    """The tensors that the operation changes."""
    for index, parameter in enumerate(operation.overload._schema.arguments):
        if parameter.alias_info is not None and parameter.alias_info.is_write:
            given = operation.args[index:] or [operation.kwargs.get(parameter.name)]
            yield from tensors_in(given[0])
