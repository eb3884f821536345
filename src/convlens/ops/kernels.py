"""Kernels: a gallery of well-known ones, by name.

All are meant for a cross-correlation: entry (a, b) multiplies the pixel a rows down and b
columns right of the window's corner. `x` runs to the right (columns), `y` down (rows). Some take
numbers after a colon: `blur:7`, `edge:1,2`, `derivative:3`.

>>> kernel("blur:2")
tensor([[0.2500, 0.2500],
        [0.2500, 0.2500]])
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from convlens.core.errors import ConfigError
from convlens.core.names import Table

Kernel = Float[Tensor, "kh kw"]

D2L = "d2l 7.2"
SOBEL = "Sobel and Feldman, talk at the Stanford AI laboratory (1968)"
SCHARR = "Scharr (2000), Optimale Operatoren in der digitalen Bildverarbeitung, Heidelberg"
PREWITT = "Prewitt (1970), Object enhancement and extraction, in Picture Processing"
GIMP = "https://docs.gimp.org/2.10/en/gimp-filter-convolution-matrix.html"
SZELISKI = "Szeliski (2022), Computer Vision, 2nd edition, https://szeliski.org/Book, section 3.2"


@dataclass(frozen=True, kw_only=True, slots=True)
class NamedKernel:
    """One picture of the gallery."""

    make: Callable[..., Kernel]
    parameters: tuple[str, ...] = ()  # what the numbers after the colon are; all have a default
    about: str
    source: str


def blur(size: int = 3) -> Kernel:
    """The mean of `size x size` pixels; its entries sum to 1, so grey stays as grey as it was.

    >>> blur(1)
    tensor([[1.]])
    """
    _check_size("blur", size)
    return torch.full((size, size), 1 / size**2)


def gaussian(size: int = 5, sigma: int | float = 1) -> Kernel:
    """`exp(-(a^2 + b^2) / (2 sigma^2))` from the centre, scaled to sum to 1.

    >>> gaussian(3, 0.5).sum()
    tensor(1.)
    """
    _check_size("gaussian", size)
    if not sigma > 0:
        raise ConfigError(f"gaussian: sigma={sigma} must be > 0")
    offsets = torch.arange(size, dtype=torch.float64) - (size - 1) / 2
    line = torch.exp(-offsets.square() / (2 * sigma**2))
    square = torch.outer(line, line)
    return (square / square.sum()).float()


def oriented_edge(right: int | float = 1, down: int | float = 0) -> Kernel:
    """The slope of the image in the direction (right, down): Sobel's two kernels, mixed.

    It is strongest on edges across that direction, and zero on edges along it. On a plane
    it gives the plane's slope exactly.

    >>> oriented_edge(0, 2)
    tensor([[-0.1250, -0.2500, -0.1250],
            [ 0.0000,  0.0000,  0.0000],
            [ 0.1250,  0.2500,  0.1250]])
    """
    length = math.hypot(right, down)
    if not 0 < length < math.inf:
        raise ConfigError(f"edge: the direction ({right}, {down}) must have a length")
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    return (right * sobel + down * sobel.T) / (8 * length)


def derivative(order: int = 1) -> Kernel:
    """The difference of this order, `(-1)^(d - k) binomial(d, k)`: d + 1 numbers in a row.

    No smaller kernel will do: it must give 0 on all powers below d and d! on the power d,
    and that is d + 1 conditions.

    >>> derivative(2)
    tensor([[ 1., -2.,  1.]])
    """
    if order < 0:
        raise ConfigError(f"derivative: order={order} must be >= 0")
    return torch.tensor([[(-1.0) ** (order - k) * math.comb(order, k) for k in range(order + 1)]])


def _fixed(*rows: tuple[int, ...]) -> Callable[[], Kernel]:
    return lambda: torch.tensor(rows, dtype=torch.float32)


def _check_size(name: str, size: int) -> None:
    if size < 1:
        raise ConfigError(f"{name}: size={size} must be >= 1")


def _row(
    name: str, source: str, about: str, make: Callable[..., Kernel], *parameters: str
) -> tuple[str, NamedKernel]:
    return name, NamedKernel(make=make, parameters=parameters, about=about, source=source)


KERNELS: Table[NamedKernel] = Table(
    "kernel",
    _row("identity", GIMP, "leaves the image as it is", _fixed((0, 0, 0), (0, 1, 0), (0, 0, 0))),
    _row("edge-x", D2L, "a pixel minus its right neighbour: upright edges", _fixed((1, -1))),
    _row("edge-y", D2L, "a pixel minus the one below: level edges", _fixed((1,), (-1,))),
    _row(
        "edge",
        "d2l 7.2, exercise 2",
        "the slope in the direction (right, down)",
        oriented_edge,
        "right",
        "down",
    ),
    _row(
        "prewitt-x",
        PREWITT,
        "slope to the right, the mean of three rows",
        _fixed((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)),
    ),
    _row(
        "prewitt-y",
        PREWITT,
        "slope downwards, the mean of three columns",
        _fixed((-1, -1, -1), (0, 0, 0), (1, 1, 1)),
    ),
    _row(
        "sobel-x",
        SOBEL,
        "slope to the right, smoothed along the edge",
        _fixed((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    ),
    _row(
        "sobel-y",
        SOBEL,
        "slope downwards, smoothed along the edge",
        _fixed((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    ),
    _row(
        "scharr-x",
        SCHARR,
        "slope to the right, nearly the same for every direction of edge",
        _fixed((-3, 0, 3), (-10, 0, 10), (-3, 0, 3)),
    ),
    _row(
        "scharr-y",
        SCHARR,
        "slope downwards, nearly the same for every direction of edge",
        _fixed((-3, -10, -3), (0, 0, 0), (3, 10, 3)),
    ),
    _row(
        "second-derivative-x",
        "d2l 7.2, exercise 2",
        "how the slope to the right changes: thin upright lines",
        _fixed((1, -2, 1)),
    ),
    _row(
        "second-derivative-y",
        "d2l 7.2, exercise 2",
        "how the slope downwards changes: thin level lines",
        _fixed((1,), (-2,), (1,)),
    ),
    _row(
        "laplacian",
        SZELISKI,
        "the sum of both second derivatives: lines and points of any direction",
        _fixed((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    ),
    _row("derivative", "d2l 7.2, exercise 2", "difference of a given order", derivative, "order"),
    _row("blur", SZELISKI, "the mean of size x size pixels", blur, "size"),
    _row(
        "gaussian",
        SZELISKI,
        "a mean that weighs near pixels more",
        gaussian,
        "size",
        "sigma",
    ),
    _row(
        "sharpen",
        GIMP,
        "the image minus its laplacian: edges stand out",
        _fixed((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    ),
    _row(
        "emboss",
        GIMP,
        "light from the upper left: slopes become relief",
        _fixed((-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
    ),
)


def kernel(text: str) -> Kernel:
    """The kernel of a name, with its numbers after a colon if it takes any.

    >>> kernel("edge-x")
    tensor([[ 1., -1.]])

    Raises:
        UnknownName: no kernel of that name.
        ConfigError: numbers it does not take, or that make no sense.
    """
    name, _, numbers = text.partition(":")
    entry = KERNELS[name]
    values = [_number(name, part) for part in numbers.split(",")] if numbers else []
    if len(values) > len(entry.parameters):
        takes = ", ".join(entry.parameters) or "no numbers"
        raise ConfigError(f"kernel {text!r}: {name} takes {takes}; {len(values)} given")
    for parameter, value in zip(entry.parameters, values, strict=False):
        if parameter in ("size", "order") and not isinstance(value, int):
            raise ConfigError(f"kernel {text!r}: {parameter}={value} must be a whole number")
    return entry.make(*values)


def _number(name: str, text: str) -> int | float:
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    raise ConfigError(f"kernel {name!r}: {text!r} is not a number")
