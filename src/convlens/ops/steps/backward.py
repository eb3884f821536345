"""Backward: which products sum to one number of `dL/dx` or of `dL/dkernel`.

>>> x, kernel = torch.tensor([[[1.0, 2.0, 4.0]]]), torch.tensor([[[[1.0, -1.0]]]])
>>> backward = Backward.of(Correlation.of(x, kernel))
>>> step = backward.kernel_step((0, 0, 0, 1))
>>> [(share.slope, share.factor) for share in step.shares], step.sum
([(1.0, 2.0), (1.0, 4.0)], 6.0)

Source: d2l 7.4, exercise 2; the whole gradients are those of `ops/gradient.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import product as combinations
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from convlens.core.errors import ShapeError
from convlens.ops.geometry import source
from convlens.ops.gradient import Gradients, cross_correlation2d_backward
from convlens.ops.steps.forward import Correlation, check_place, settings_of
from convlens.ops.steps.records import Cell, Entry, GradientStep, Share
from convlens.ops.window import Window


@dataclass(frozen=True, slots=True, eq=False)
class Backward:
    """A correlation and the slope of the loss by its output."""

    forward: Correlation
    grad_y: Float[Tensor, "o oh ow"]

    @classmethod
    def of(cls, forward: Correlation, grad_y: Float[Tensor, "o oh ow"] | None = None) -> "Backward":
        """The backward pass for this `dL/dy`; without one the loss is the sum of the output.

        Raises:
            ShapeError: `grad_y` has not the output's shape.
        """
        shape = forward.output_shape()
        if grad_y is None:
            grad_y = torch.ones(shape)
        if tuple(grad_y.shape) != shape:
            raise ShapeError(
                f"dL/dy has shape {tuple(grad_y.shape)}; it must have that of the output, {shape}"
            )
        return cls(forward, grad_y.double())

    def gradients(self) -> Gradients:
        """The whole of `dL/dx`, `dL/dkernel` and `dL/dbias`, by `cross_correlation2d_backward`.

        `dL/dkernel` is that of the kernel as it was given, also in a true convolution.
        """
        forward = self.forward
        found = cross_correlation2d_backward(
            self.grad_y[None], forward.x[None], forward.applied, **settings_of(forward.geometry)
        )
        kernel = found.kernel.flip(2, 3) if forward.turned else found.kernel
        return Gradients(found.x, kernel, found.bias)

    def cells(self) -> Iterator[Cell]:
        """Every place of the input."""
        channels, height, width = self.forward.x.shape
        return combinations(range(channels), range(height), range(width))

    def entries(self) -> Iterator[Entry]:
        """Every entry of the kernel."""
        o, within, height, width = self.forward.kernel.shape
        return combinations(range(o), range(within), range(height), range(width))

    def input_step(self, cell: Cell) -> GradientStep:
        """`dL/dx` at `cell`: for each output that reads it, its slope times the entry it met.

        Padding that copies the cell reads it too.

        Raises:
            ShapeError: the input has no such place.
        """
        forward, geometry = self.forward, self.forward.geometry
        check_place("the input", cell, tuple(forward.x.shape))
        channel, row, column = cell
        out_channels, height, width = forward.output_shape()
        per_group = forward.kernel.shape[1]
        group, within = divmod(channel, per_group)
        mode = geometry.padding_mode
        rows = _readers(geometry.rows, height, lambda p: source(p, forward.x.shape[1], mode) == row)
        columns = _readers(
            geometry.columns, width, lambda p: source(p, forward.x.shape[2], mode) == column
        )
        shares: list[Share] = []
        for out in (out for out in range(out_channels) if forward.group(out) == group):
            for (i, a, r), (j, b, s) in combinations(rows, columns):
                entry = forward.entry(out, within, a, b)
                weight: float = forward.kernel[entry].item()
                shares.append(self._share((out, i, j), (channel, r, s), entry, weight))
        return _sum_up("x", cell, shares)

    def kernel_step(self, entry: Entry) -> GradientStep:
        """`dL/dkernel` at `entry`: for each output, its slope times the pixel the entry met.

        Raises:
            ShapeError: the kernel has no such entry.
        """
        forward, geometry = self.forward, self.forward.geometry
        check_place("the kernel", entry, tuple(forward.kernel.shape))
        out, within, _, _ = entry
        _, _, a, b = forward.entry(*entry)  # half a turn is its own inverse
        channel = forward.group(out) * forward.kernel.shape[1] + within
        _, height, width = forward.output_shape()
        shares: list[Share] = []
        for i, j in combinations(range(height), range(width)):
            r, s = geometry.rows.taps(i)[a], geometry.columns.taps(j)[b]
            value = forward.pixel(channel, r, s).value or 0.0
            shares.append(self._share((out, i, j), (channel, r, s), entry, value))
        return _sum_up("kernel", entry, shares)

    def view(self, steps: tuple[GradientStep, ...]) -> Mapping[str, Any]:
        """Everything that a picture of these steps needs, as `plain` can take it."""
        found = self.gradients()
        forward = {key: value for key, value in self.forward.view(()).items() if key != "steps"}
        return {
            **forward,
            "grad_output": self.grad_y.tolist(),
            "grad_input": found.x[0].tolist(),
            "grad_kernel": found.kernel.tolist(),
            "grad_bias": found.bias.tolist(),
            "steps": steps,
        }

    def _share(self, output: Cell, place: Cell, entry: Entry, factor: float) -> Share:
        slope: float = self.grad_y[output].item()
        return Share(output, slope, self.forward.pixel(*place), entry, factor, slope * factor)


def _sum_up(of: Any, at: Cell | Entry, shares: list[Share]) -> GradientStep:
    return GradientStep(of, at, tuple(shares), sum((s.product for s in shares), start=0.0))


def _readers(window: Window, count: int, reads: Any) -> list[tuple[int, int, int]]:
    """The outputs that read, each with the tap and the position it reads by."""
    return [
        (output, tap, position)
        for output in range(count)
        for tap, position in enumerate(window.taps(output))
        if reads(position)
    ]
