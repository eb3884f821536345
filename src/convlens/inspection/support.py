"""Support: the pixels that in fact change a number inside a network, measured by its gradient.

A receptive field is what could be seen; the support is what is seen with these weights and these
images. Where it leaves the field, the field is wrong.

Source: Luo et al. (2017), https://arxiv.org/abs/1701.04128, section 2 (the gradient of one
place by the pixels).
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from convlens.core.errors import ConfigError, UnknownName
from convlens.core.names import suggestion
from convlens.inspection.receptive_field import Box, receptive_fields
from convlens.inspection.watch import as_it_was, tensors_in

Dims = tuple[int | None, int | None]  # of a tensor, along which its rows and columns lie
Listener = Callable[[str, Tensor, Tensor], None]  # a path, its first output, the images


def measured_support(
    module: nn.Module,
    x: Tensor,
    path: str,
    position: tuple[int, int],
    *,
    dims: Dims = (2, 3),
) -> Box | None:
    """The box around the pixels of `x` with a gradient: d (sum over channels of a place) / d x.

    The place is the row and column `position` along `dims` of what the module at `path` gives at
    its first call, in evaluation mode; along a dim that is not there, all of it. None if no pixel
    has a gradient.

    >>> measured_support(nn.Conv2d(1, 4, 3, padding=1), torch.ones(1, 1, 9, 9), "", (0, 4))
    (0, 3, 2, 6)

    Raises:
        UnknownName: the module has no such part.
        ConfigError: something is on the meta device, where there is nothing to measure.
    """
    boxes: list[Box | None] = []

    def measure(_: str, y: Tensor, pixels: Tensor) -> None:
        boxes.append(_box(y, pixels, position, dims))

    _listen(module, x, [path], measure)
    return boxes[0] if boxes else None


def misfits(module: nn.Module, x: Tensor, paths: Iterable[str] | None = None) -> list[str]:
    """Where a measured support leaves its receptive field, a line each; none if all is well.

    Looks at the corners, the edges and the centre of what the modules at `paths` give, by default
    all those that do not see the whole image.

    >>> misfits(nn.Sequential(nn.Conv2d(1, 4, 3), nn.MaxPool2d(2)), torch.rand(1, 1, 8, 8))
    []

    Raises:
        UnknownName: the module has no such part.
        ConfigError: something is on the meta device, where there is nothing to measure.
    """
    fields = receptive_fields(module, x)
    chosen = list(fields if paths is None else paths)
    lines: list[str] = []

    def compare(path: str, y: Tensor, pixels: Tensor) -> None:
        field = fields.get(path)
        if field is None or field.whole:  # one that sees nothing has no place to be tried
            stray = None if field else _box(y, pixels, (0, 0), (None, None))
            lines.extend([f"{_named(path)} sees {stray}, not nothing"] if stray else [])
            return
        for place in product(*(_ends(y, dim) for dim in field.dims)):
            seen = field.box(*place, *x.shape[2:])
            found = _box(y, pixels, place, field.dims)
            if found is not None and _around(seen, found) != seen:
                lines.append(f"{_named(path)} at {place} sees {found}, not only {seen}")

    _listen(module, x, chosen, compare)
    return lines


def _listen(module: nn.Module, x: Tensor, paths: Iterable[str], listener: Listener) -> None:
    """One pass in which the listener hears of the first output of each path, with a graph."""
    parts = dict(module.named_modules())
    if any(tensor.is_meta for tensor in (x, *module.parameters(), *module.buffers())):
        raise ConfigError(
            "the meta device holds no numbers to measure", fix="build the module on the cpu"
        )
    pixels = x.detach().clone().requires_grad_()
    with ExitStack() as exits:
        exits.enter_context(as_it_was(module))
        module.eval()
        for path in paths:
            if path not in parts:
                raise UnknownName(f"no module {path!r}; {suggestion(path, parts)}")
            hook = _once(path, pixels, listener)
            exits.callback(parts[path].register_forward_hook(hook).remove)
        with torch.enable_grad():
            module(pixels.clone())  # a leaf may not be changed in place


def _once(path: str, pixels: Tensor, listener: Listener) -> Callable[[Any, Any, Any], None]:
    heard: list[str] = []

    def hook(module: Any, inputs: Any, output: Any) -> None:
        del module, inputs
        y = next(tensors_in(output), None)
        if y is not None and not heard:
            listener(path, y, pixels)
        heard.append(path)

    return hook


def _box(y: Tensor, pixels: Tensor, place: tuple[int, ...], dims: Dims) -> Box | None:
    if not y.requires_grad:
        return None
    for dim, index in zip(dims, place, strict=True):
        if dim is not None and dim < y.dim():
            y = y.narrow(dim, index, 1)
    (slope,) = torch.autograd.grad(y.sum(), pixels, retain_graph=True, materialize_grads=True)
    found = slope.nonzero()
    if not len(found):
        return None
    top, left = found[:, 2:].amin(0).tolist()
    bottom, right = found[:, 2:].amax(0).tolist()
    return top, left, bottom + 1, right + 1


def _ends(y: Tensor, dim: int | None) -> list[int]:
    """First, middle and last place, of nothing the first."""
    size = 1 if dim is None else y.shape[dim]
    return sorted({0, size // 2, size - 1})


def _named(path: str) -> str:
    return path or "the whole"


def _around(a: Box, b: Box) -> Box:
    """The box around two boxes."""
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])
