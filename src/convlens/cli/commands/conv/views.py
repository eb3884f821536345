"""Views: the steps that were asked for, each as lines of text, and all of it as JSON."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from rich.text import Text

from convlens.cli.commands.conv.draw import beside
from convlens.cli.commands.conv.question import (
    Options,
    backward_of,
    correlation_of,
    place,
    pooling_of,
)
from convlens.cli.commands.conv.steps import (
    correlation_lines,
    gradient_lines,
    plain_matrix,
    pool_lines,
    wrapped,
)
from convlens.core.errors import ConfigError
from convlens.ops.steps.backward import Backward
from convlens.ops.steps.forward import Correlation, check_place, settings_of
from convlens.ops.steps.pooling import Pooling, PoolingBackward


@dataclass(frozen=True, kw_only=True, slots=True)
class View:
    """What is to be shown."""

    head: list[Text]  # what is computed
    steps: Iterator[Any]  # made one by one as they are asked for
    count: int  # of steps
    lines: Callable[[Any], list[Text]]  # a step as text
    content: Callable[[tuple[Any, ...]], Mapping[str, Any]]  # steps as JSON


def view_of(
    options: Options, *, backward: bool, grad: str | None, at: str | None, entry: str, walk: bool
) -> View:
    """The view that the options ask for.

    Raises:
        ConfigError: options that do not go together.
        ShapeError: numbers or places that do not fit.
    """
    forward = pooling_of(options, options.pool) if options.pool else correlation_of(options)
    cell = place(at or "0,0", "--at", 3)
    if not backward:
        if grad is not None:
            raise ConfigError("--grad: goes with --backward")
        check_place("the output", cell, forward.output_shape())
        return _forward(forward, None if walk else cell)
    check_place("the input", cell, tuple(forward.x.shape))
    passed = backward_of(forward, grad)
    if isinstance(passed, PoolingBackward):
        return _pooling_backward(passed, None if walk else cell)
    opened = place(entry, "--entry", 4)
    check_place("the kernel", opened, tuple(passed.forward.kernel.shape))
    return _backward(passed, None if walk else (cell, opened))


def _forward(forward: Correlation | Pooling, cell: Any) -> View:
    output = forward.output()

    def lines(step: Any) -> list[Text]:
        if isinstance(forward, Correlation):
            return correlation_lines(forward, output, step)
        return pool_lines(forward, output, step)

    cells = forward.cells() if cell is None else iter([cell])
    return View(
        head=_head(forward),
        steps=(forward.step(one) for one in cells),
        count=output.numel() if cell is None else 1,
        lines=lines,
        content=forward.view,
    )


def _backward(backward: Backward, chosen: Any) -> View:
    gradients = backward.gradients()
    whole = {"x": gradients.x[0], "kernel": gradients.kernel}
    cells = backward.cells() if chosen is None else iter([chosen[0]])
    entries = backward.entries() if chosen is None else iter([chosen[1]])
    grad_bias = gradients.bias[None]
    head = [
        *_head(backward.forward),
        Text(),
        *beside(plain_matrix("dL/dbias, the sum of dL/dy", grad_bias)),
    ]
    return View(
        head=head,
        steps=chain(map(backward.input_step, cells), map(backward.kernel_step, entries)),
        count=2 if chosen else whole["x"].numel() + whole["kernel"].numel(),
        lines=lambda step: gradient_lines(backward, whole[step.of], step),
        content=backward.view,
    )


def _pooling_backward(backward: PoolingBackward, cell: Any) -> View:
    gradient = backward.gradient()
    cells = backward.cells() if cell is None else iter([cell])
    return View(
        head=_head(backward.forward),
        steps=map(backward.input_step, cells),
        count=gradient.numel() if cell is None else 1,
        lines=lambda step: gradient_lines(backward, gradient, step),
        content=backward.view,
    )


def _head(forward: Correlation | Pooling) -> list[Text]:
    """One sentence: what is computed of what, and the size that comes out."""
    if isinstance(forward, Pooling):
        name, keywords = f"{forward.reduce} pooling", forward.keywords()
        by = _size(keywords.pop("kernel_size"))
    else:
        name = "true convolution" if forward.turned else "cross-correlation"
        keywords, by = settings_of(forward.geometry), _size(forward.kernel.shape)
    usual = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    usual |= {"padding_mode": "zeros", "ceil_mode": False, "count_include_pad": True}
    said = [
        f"{key.replace('_', ' ')} {_setting(value)}"
        for key, value in keywords.items()
        if value != usual[key]
    ]
    sizes = f"{_size(forward.x.shape)} by {by} gives {_size(forward.output_shape())}"
    return wrapped(f"{name}: {', '.join([sizes, *said])}")


def _size(shape: tuple[int, ...]) -> str:
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    return "x".join(map(str, shape))


def _setting(value: Any) -> str:
    if not isinstance(value, tuple):
        return str(value)
    return str(value[0]) if value[0] == value[1] else ",".join(map(str, value))
