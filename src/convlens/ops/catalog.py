"""The implementations by name: what each can do, where it comes from, and how to ask.

A name and a geometry are enough to know whether it will work, before there is a tensor:

>>> refusal("winograd-4x4", Geometry.of(3, padding=1))
''
>>> choose("winograd-4x4", Geometry.of(5))
Traceback (most recent call last):
convlens.core.errors.ConfigError: implementation 'winograd-4x4' cannot do this correlation: its \
tiles are for a 3x3 kernel with stride 1 and dilation 1; this is a 5x5, stride 1x1, dilation 1x1
these can: fft, matrix, native, reference, unfold
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NoReturn

from torch import Tensor

from convlens.core.errors import ConfigError
from convlens.core.names import Table
from convlens.ops.algorithms import fft, matrix, native, reference, unfold, winograd
from convlens.ops.geometry import Geometry, PoolGeometry, Reduce

Correlate = Callable[[Tensor, Tensor, Tensor | None, Geometry], Tensor]
Transpose = Callable[[Tensor, Tensor, Tensor | None, Geometry, tuple[int, int]], Tensor]
Pool = Callable[[Tensor, PoolGeometry, Reduce], Tensor]
AdaptivePool = Callable[[Tensor, tuple[int, int], Reduce], Tensor]
Operation = Literal["transpose", "pool", "adaptive_pool"]
ImplementationName = Literal[  # the names below, for the settings of a model
    "fft", "matrix", "native", "reference", "unfold", "winograd-2x2", "winograd-4x4"
]


def _can_do_all(geometry: Geometry) -> str:
    del geometry
    return ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Implementation:
    """One line of the catalog: the operations one algorithm computes, None where it has no way."""

    correlate: Correlate
    transpose: Transpose | None = None
    pool: Pool | None = None
    adaptive_pool: AdaptivePool | None = None
    refusal: Callable[[Geometry], str] = _can_do_all  # why it cannot correlate so, or ""
    keeps_nan_in_place: bool = True  # a NaN reaches only the outputs that read it
    about: str
    source: str


IMPLEMENTATIONS: Table[Implementation] = Table(
    "implementation",
    (
        "reference",
        Implementation(
            correlate=reference.correlate,
            transpose=reference.transpose,
            pool=reference.pool,
            adaptive_pool=reference.adaptive_pool,
            about="the loops that define each operation",
            source="d2l 7.2, 7.4, 7.5",
        ),
    ),
    (
        "native",
        Implementation(
            correlate=native.correlate,
            transpose=native.transpose,
            pool=native.pool,
            adaptive_pool=native.adaptive_pool,
            about="torch's own kernels",
            source="https://docs.pytorch.org/docs/stable/nn.functional.html",
        ),
    ),
    (
        "unfold",
        Implementation(
            correlate=unfold.correlate,
            transpose=unfold.transpose,
            pool=unfold.pool,
            about="windows as columns, then one matrix product (im2col)",
            source="Chellapilla, Puri and Simard (2006), https://inria.hal.science/inria-00112631",
        ),
    ),
    (
        "matrix",
        Implementation(
            correlate=matrix.correlate,
            transpose=matrix.transpose,
            about="the convolution written out as a sparse matrix",
            source="d2l 7.1; Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285",
        ),
    ),
    (
        "fft",
        Implementation(
            correlate=fft.correlate,
            keeps_nan_in_place=False,
            about="a product of spectra",
            source="Mathieu, Henaff and LeCun (2013), https://arxiv.org/abs/1312.5851",
        ),
    ),
    (
        "winograd-2x2",
        Implementation(
            correlate=winograd.correlate_by(winograd.F2),
            refusal=winograd.refusal,
            keeps_nan_in_place=False,
            about="3x3 kernels by tiles of 2x2, 4 multiplications a pixel instead of 9",
            source="Lavin and Gray (2015), https://arxiv.org/abs/1509.09308, F(2x2, 3x3)",
        ),
    ),
    (
        "winograd-4x4",
        Implementation(
            correlate=winograd.correlate_by(winograd.F4),
            refusal=winograd.refusal,
            keeps_nan_in_place=False,
            about="3x3 kernels by tiles of 4x4, 2.25 multiplications a pixel instead of 9",
            source="Lavin and Gray (2015), https://arxiv.org/abs/1509.09308, F(4x4, 3x3)",
        ),
    ),
)


def refusal(name: str, geometry: Geometry) -> str:
    """Why implementation `name` cannot do a correlation of this geometry; "" if it can.

    Raises:
        UnknownName: no implementation of that name.
    """
    return IMPLEMENTATIONS[name].refusal(geometry)


def choose(name: str, geometry: Geometry) -> Implementation:
    """Implementation `name`, which can do a correlation of this geometry.

    Raises:
        UnknownName: no implementation of that name.
        ConfigError: it cannot; says why, and which can.
    """
    implementation = IMPLEMENTATIONS[name]
    reason = implementation.refusal(geometry)
    if reason:
        able = [name for name, other in IMPLEMENTATIONS.items() if not other.refusal(geometry)]
        raise ConfigError(
            f"implementation {name!r} cannot do this correlation: {reason}",
            fix=f"these can: {', '.join(able)}",
        )
    return implementation


def names_for(operation: Operation) -> tuple[str, ...]:
    """The implementations that have `operation`.

    >>> names_for("transpose")
    ('matrix', 'native', 'reference', 'unfold')
    """
    return tuple(
        name for name, entry in IMPLEMENTATIONS.items() if getattr(entry, operation) is not None
    )


def transpose_by(name: str) -> Transpose:
    """The transposed correlation of implementation `name`."""
    run = IMPLEMENTATIONS[name].transpose
    return run if run is not None else _lacks(name, "transpose")


def pool_by(name: str) -> Pool:
    """The pooling of implementation `name`."""
    run = IMPLEMENTATIONS[name].pool
    return run if run is not None else _lacks(name, "pool")


def adaptive_pool_by(name: str) -> AdaptivePool:
    """The adaptive pooling of implementation `name`."""
    run = IMPLEMENTATIONS[name].adaptive_pool
    return run if run is not None else _lacks(name, "adaptive_pool")


def _lacks(name: str, operation: Operation) -> NoReturn:
    raise ConfigError(
        f"implementation {name!r} has no {operation.replace('_', ' ')}",
        fix=f"these have: {', '.join(names_for(operation))}",
    )
