"""Hypothesis strategies for shapes, windows, geometries and the tensors that fit them."""

from dataclasses import dataclass
from typing import Any

import torch
from hypothesis import strategies as st
from torch import Tensor

from convlens.ops.geometry import PADDING_MODES, Geometry, PaddingMode, PoolGeometry
from convlens.ops.window import Window

windows = st.builds(
    Window,
    kernel=st.integers(1, 7),
    stride=st.integers(1, 4),
    padding=st.integers(0, 4),
    dilation=st.integers(1, 3),
)
seeds = st.integers(0, 10_000)


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Random numbers, the same for the same seed in every type."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(dtype)


def whole(*shape: int, seed: int = 0) -> Tensor:
    """Whole numbers from -4 to 4 as float64: sums of their products are exact in any order."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-4, 5, shape, generator=generator).double()


@dataclass(frozen=True, slots=True)
class Case:
    """A correlation that can be done: its geometry and the shapes of its tensors."""

    geometry: Geometry
    shape: tuple[int, int, int, int]
    out_channels: int
    has_bias: bool
    seed: int

    @property
    def kernel_shape(self) -> tuple[int, int, int, int]:
        in_channels = self.shape[1] // self.geometry.groups
        return (self.out_channels, in_channels, *self.geometry.kernel_size)

    def tensors(self, dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor | None]:
        """x, kernel and bias."""
        bias = normal(self.out_channels, seed=self.seed + 2, dtype=dtype)
        return (
            normal(*self.shape, seed=self.seed, dtype=dtype),
            normal(*self.kernel_shape, seed=self.seed + 1, dtype=dtype),
            bias if self.has_bias else None,
        )

    def settings(self, **more: Any) -> dict[str, Any]:
        """The keywords of this geometry, with `more` added or put in their place."""
        rows, columns = self.geometry.rows, self.geometry.columns
        return {
            "stride": (rows.stride, columns.stride),
            "padding": (rows.padding, columns.padding),
            "dilation": (rows.dilation, columns.dilation),
            "groups": self.geometry.groups,
            "padding_mode": self.geometry.padding_mode,
            **more,
        }


@st.composite
def sizes_for(draw: st.DrawFn, window: Window, mode: PaddingMode, spare: int = 4) -> int:
    """An axis on which the window fits at least once and the padding mode can pad."""
    least = max(1, window.extent - 2 * window.padding)
    if mode == "reflect":
        least = max(least, window.padding + 1)
    if mode == "circular":
        least = max(least, window.padding)
    return least + draw(st.integers(0, spare))


@st.composite
def placed_windows(draw: st.DrawFn) -> tuple[Window, int]:
    """A window and an axis on which it fits."""
    window = draw(windows)
    return window, draw(sizes_for(window, "zeros", spare=40))


@st.composite
def cases(  # noqa: PLR0913 - the bounds of what is drawn
    draw: st.DrawFn,
    *,
    kernel: int = 7,
    stride: int = 3,
    padding: int = 3,
    dilation: int = 2,
    modes: tuple[PaddingMode, ...] = PADDING_MODES,
    least_kernel: int = 1,
    spare: int = 4,
    groups: int = 3,
    least_batch: int = 0,
) -> Case:
    """A random correlation: kernels up to `kernel`, and so on for the other settings."""
    mode = draw(st.sampled_from(modes))
    window = st.builds(
        Window,
        kernel=st.integers(least_kernel, kernel),
        stride=st.integers(1, stride),
        padding=st.integers(0, padding),
        dilation=st.integers(1, dilation),
    )
    rows, columns = draw(window), draw(window)
    num_groups = draw(st.integers(1, groups))
    channels = st.integers(1, 2).map(lambda count: count * num_groups)
    shape = (
        draw(st.integers(least_batch, 2)),
        draw(channels),
        draw(sizes_for(rows, mode, spare)),
        draw(sizes_for(columns, mode, spare)),
    )
    return Case(
        Geometry(rows, columns, num_groups, mode),
        shape,
        out_channels=draw(channels),
        has_bias=draw(st.booleans()),
        seed=draw(seeds),
    )


# Correlations that have a transpose: no padding cuts off all that a window spreads.
transposable = st.one_of(
    cases(modes=("zeros",), kernel=4, padding=0),
    cases(modes=("zeros",), kernel=5, padding=1, least_kernel=3),
)


@st.composite
def output_paddings(draw: st.DrawFn, geometry: Geometry) -> tuple[int, int]:
    """What may be added to the two axes of the transpose's output."""
    rows, columns = (
        draw(st.integers(0, max(window.stride, window.dilation) - 1))
        for window in (geometry.rows, geometry.columns)
    )
    return rows, columns


@dataclass(frozen=True, slots=True)
class PoolCase:
    """A pooling that can be done."""

    geometry: PoolGeometry
    shape: tuple[int, int, int, int]
    seed: int

    def settings(self, **more: Any) -> dict[str, Any]:
        """What max and average pooling share, with `more` added or put in its place."""
        rows, columns = self.geometry.rows, self.geometry.columns
        return {
            "kernel_size": (rows.kernel, columns.kernel),
            "stride": (rows.stride, columns.stride),
            "padding": (rows.padding, columns.padding),
            "ceil_mode": self.geometry.ceil_mode,
            **more,
        }


@st.composite
def pool_windows(draw: st.DrawFn, dilation: int = 1) -> Window:
    """A window padded by at most half its kernel, as pooling demands."""
    kernel = draw(st.integers(1, 4))
    return Window(
        kernel,
        stride=draw(st.integers(1, 4)),
        padding=draw(st.integers(0, kernel // 2)),
        dilation=draw(st.integers(1, dilation)),
    )


@st.composite
def pool_cases(draw: st.DrawFn, *, dilation: int = 1) -> PoolCase:
    """A random pooling."""
    rows, columns = draw(pool_windows(dilation)), draw(pool_windows(dilation))
    geometry = PoolGeometry(rows, columns, draw(st.booleans()), draw(st.booleans()))
    shape = (
        draw(st.integers(0, 2)),
        draw(st.integers(1, 3)),
        draw(sizes_for(rows, "zeros")),
        draw(sizes_for(columns, "zeros")),
    )
    return PoolCase(geometry, shape, seed=draw(seeds))
