"""Rules: what the outputs of each operation of torch see, from what its inputs see.

No rule is smaller than the truth, and an operation without a rule sees everything.

Source: Araujo, Norris and Sim (2019), https://distill.pub/2019/computing-receptive-fields.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import prod
from typing import Any, final

import torch

from convlens.inspection.fields.seen import (
    Seen,
    everything,
    mixed,
    moved,
    permuted,
    regrouped,
    resized,
    united,
    without,
)
from convlens.inspection.fields.sight import Move, mirror, shift, slide, spread
from convlens.inspection.watch import Operation, tensors_in
from convlens.ops.window import Window

Look = Callable[[object], Seen | None]  # None: a tensor that sees nothing of the image


@final
@dataclass(frozen=True, slots=True)
class Step:
    """One output of an operation, and what the operation's inputs see."""

    operation: Operation
    look: Look
    index: int  # of the output among the outputs

    @property
    def name(self) -> str:
        """The operation's name, the same for the one that works in place."""
        return self.operation.name.removesuffix("_")

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the output."""
        return tuple(self.operation.outputs[self.index].shape)

    @property
    def parts(self) -> list[Seen]:
        """What those inputs see that see anything."""
        tensors = tensors_in((self.operation.args, self.operation.kwargs))
        return [seen for seen in map(self.look, tensors) if seen is not None]

    @property
    def only_input(self) -> Seen | None:
        """What the first argument sees, if no other sees anything."""
        first = self.look(self.operation.args[0]) if self.operation.args else None
        return first if len(self.parts) == 1 else None

    def argument(self, name: str) -> Any:
        """The argument of this name, given or by default; None if there is no such."""
        for index, parameter in enumerate(self.operation.overload._schema.arguments):
            if parameter.name == name:
                if index < len(self.operation.args):
                    return self.operation.args[index]
                return self.operation.kwargs.get(name, parameter.default_value)
        return None

    def numbers(self, name: str, count: int) -> list[int]:
        """The same as `count` numbers, also where one stands for all."""
        value = self.argument(name)
        values: list[int] = [value] if isinstance(value, int) else list(value or ())
        return values * count if len(values) == 1 else values


Rule = Callable[[Step, Seen], Seen]  # of operations with one input that sees


def seen_by(step: Step) -> Seen | None:
    """What the output sees; None: nothing of the image."""
    parts, name = step.parts, step.name
    if not parts or name in CONSTANTS:
        return None
    if 0 in step.shape:
        return everything(step.shape)
    if name in POINTWISE or torch.Tag.pointwise in step.operation.overload.tags:
        return united(parts, step.shape)
    if name in ("cat", "stack"):
        return _joined(step, parts)
    if name in ("mm", "bmm", "addmm", "baddbmm"):
        return _product(step)
    seen, rule = step.only_input, RULES.get(name)
    return everything(step.shape) if seen is None or rule is None else rule(step, seen)


def _joined(step: Step, parts: list[Seen]) -> Seen:
    dim, shape = step.argument("dim") % len(step.shape), step.shape
    if step.name == "stack":
        parts = [replace(p, dims=(*p.dims[:dim], (), *p.dims[dim:])) for p in parts]
    if any(len(part.dims) != len(shape) for part in parts):
        return everything(shape)  # torch lets empty ones of another shape pass
    return united([resized(part, dim, shape[dim]) for part in parts], shape)


def _product(step: Step) -> Seen:
    """Rows of the left or columns of the right factor keep what they see."""
    left, right = map(step.look, step.operation.args[-2:])
    if len(step.parts) == 1 and left is not None:
        return resized(left, -1, step.shape[-1])
    if len(step.parts) == 1 and right is not None:
        return resized(right, -2, step.shape[-2])
    return everything(step.shape)


def _moved_last(step: Step, seen: Seen, moves: list[Move]) -> Seen:
    """Each of the last dims by its move."""
    for dim, move in enumerate(moves, start=-len(moves)):
        seen = moved(seen, dim, move, step.shape[dim])
    return seen


def _convolution(step: Step, seen: Seen) -> Seen:
    kernel_size = list(step.argument("weight").shape[2:])
    settings = [step.numbers(s, len(kernel_size)) for s in ("stride", "padding", "dilation")]
    move = spread if step.argument("transposed") else slide
    moves = [move(Window(*numbers)) for numbers in zip(kernel_size, *settings, strict=True)]
    return _moved_last(step, resized(seen, 1, step.shape[1]), moves)


def _pool(count: int) -> Rule:
    """Of `count` dims; what the ceiling mode adds at the end are places as any."""

    def rule(step: Step, seen: Seen) -> Seen:
        kernel_size = step.numbers("kernel_size", count)
        stride = step.numbers("stride", count) or kernel_size
        padding = step.numbers("padding", count)
        dilation = step.numbers("dilation", count) or [1] * count  # an average has none
        settings = zip(kernel_size, stride, padding, dilation, strict=True)
        return _moved_last(step, seen, [slide(Window(*numbers)) for numbers in settings])

    return rule


def _everywhere(_: object) -> None:
    """The move of places that see the whole axis."""


def _adaptive_pool(step: Step, seen: Seen) -> Seen:
    def move(dim: int) -> Move:
        places, after = _size(seen, dim), step.shape[dim]
        window = Window(places // after or 1, stride=places // after or 1)
        return slide(window) if places % after == 0 and after > 1 else _everywhere

    return _moved_last(step, seen, [move(-2), move(-1)])


def _upsample(step: Step, seen: Seen) -> Seen:
    def move(dim: int) -> Move:
        times, rest = divmod(step.shape[dim], _size(seen, dim))
        return _everywhere if rest else spread(Window(times, stride=times))

    return _moved_last(step, seen, [move(-2), move(-1)])


def _pixel_shuffle(step: Step, seen: Seen) -> Seen:
    times = step.argument("upscale_factor")
    move = spread(Window(times, stride=times))
    return _moved_last(step, resized(seen, -3, step.shape[-3]), [move, move])


def _pixel_unshuffle(step: Step, seen: Seen) -> Seen:
    times = step.argument("downscale_factor")
    move = slide(Window(times, stride=times))
    return _moved_last(step, resized(seen, -3, step.shape[-3]), [move, move])


def _pad(step: Step, seen: Seen) -> Seen:
    """By constants; the numbers are for before and after, from the last dim on."""
    befores = step.argument("pad")[::2]
    return _moved_last(step, seen, [shift(-before) for before in reversed(befores)])


def _repeating_pad(step: Step, seen: Seen) -> Seen:
    pad = step.argument("padding")
    dims = zip(pad[::2], pad[1::2], range(-1, -len(pad), -1), strict=False)
    moves = [mirror(before, after, _size(seen, dim)) for before, after, dim in dims]
    return _moved_last(step, seen, moves[::-1])


def _slice(step: Step, seen: Seen) -> Seen:
    dim = step.argument("dim")
    first, *_ = range(_size(seen, dim))[slice(step.argument("start"), None)]
    return moved(seen, dim, shift(first, step.argument("step")), step.shape[dim])


def _split(step: Step, seen: Seen) -> Seen:
    dim = step.argument("dim")
    return resized(seen, dim, step.shape[dim])


def _reduce(step: Step, seen: Seen) -> Seen:
    dims = step.argument("dim")
    dims = [dims] if isinstance(dims, int) else dims
    if not dims:  # all of them
        return everything(step.shape)
    if not step.argument("keepdim"):
        return without(seen, dims)
    for dim in dims:
        seen = resized(seen, dim, 1)
    return seen


def _along(step: Step, seen: Seen) -> Seen:
    """Each place sees what those along `dim` saw: softmax, running sums."""
    return mixed(seen, [step.argument("dim")])


def _batch_norm(step: Step, seen: Seen) -> Seen:
    """The batch's own statistics see everything, and so do all outputs but the first."""
    batch = step.argument("training") or step.index > 0
    return everything(step.shape) if batch else seen


def _layer_norm(step: Step, seen: Seen) -> Seen:
    normalized = len(step.argument("normalized_shape"))
    return mixed(seen, range(-normalized, 0)) if step.index == 0 else everything(step.shape)


def _transpose(step: Step, seen: Seen) -> Seen:
    order = list(range(len(seen.dims)))
    a, b = (0, -1) if step.name == "t" else (step.argument("dim0"), step.argument("dim1"))
    order[a], order[b] = order[b], order[a]
    return permuted(seen, order)


def _size(seen: Seen, dim: int) -> int:
    return prod(piece.size for piece in seen.dims[dim])


def _view(step: Step, seen: Seen) -> Seen:
    return regrouped(seen, step.shape)


def _expand(step: Step, seen: Seen) -> Seen:
    return united([seen], step.shape)


# Operations on each number, or on none, that torch does not tag as such.
POINTWISE = frozenset(
    [
        "_prelu_kernel",
        "_to_copy",
        "alias",
        "clone",
        "contiguous",
        "copy",
        "detach",
        "hardsigmoid",
        "hardswish",
        "lift_fresh",
        "native_dropout",
    ]
)
# What sees the shape of its input alone.
CONSTANTS = frozenset(
    [
        "empty_like",
        "full_like",
        "new_empty",
        "new_empty_strided",
        "new_full",
        "new_ones",
        "new_zeros",
        "ones_like",
        "rand_like",
        "randn_like",
        "zeros_like",
    ]
)
RULES: Mapping[str, Rule] = {
    "convolution": _convolution,
    "avg_pool2d": _pool(2),
    "avg_pool3d": _pool(3),
    "max_pool2d_with_indices": _pool(2),
    "max_pool3d_with_indices": _pool(3),
    "_adaptive_avg_pool2d": _adaptive_pool,
    "adaptive_max_pool2d": _adaptive_pool,
    "upsample_nearest2d": _upsample,
    "pixel_shuffle": _pixel_shuffle,
    "pixel_unshuffle": _pixel_unshuffle,
    "channel_shuffle": lambda step, seen: mixed(seen, [1]),
    "native_channel_shuffle": lambda step, seen: mixed(seen, [1]),
    "constant_pad_nd": _pad,
    "reflection_pad2d": _repeating_pad,
    "replication_pad2d": _repeating_pad,
    "slice": _slice,
    "select": lambda step, seen: without(seen, [step.argument("dim")]),
    "unbind": lambda step, seen: without(seen, [step.argument("dim")]),
    "split": _split,
    "split_with_sizes": _split,
    "unsafe_split": _split,
    **dict.fromkeys(
        ["amax", "amin", "argmax", "logsumexp", "max", "mean", "min", "std", "sum", "var"], _reduce
    ),
    **dict.fromkeys(("_softmax", "_log_softmax", "cumsum"), _along),
    "glu": _split,
    "native_batch_norm": _batch_norm,
    "cudnn_batch_norm": _batch_norm,
    "_native_batch_norm_legit_no_training": _batch_norm,
    "native_layer_norm": _layer_norm,
    "_fused_rms_norm": _layer_norm,
    "permute": lambda step, seen: permuted(seen, step.argument("dims")),
    "transpose": _transpose,
    "t": _transpose,
    **dict.fromkeys(("view", "_unsafe_view", "_reshape_alias", "unsqueeze", "squeeze"), _view),
    "expand": _expand,
}
