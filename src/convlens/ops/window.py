"""Windows: the arithmetic of sliding a kernel along one axis.

A convolution, a pooling layer and a whole stack of them all see their input through a
window. This module is the only home of that arithmetic: layers, receptive fields, costs and
the reference operations all call it.

Source: Dumoulin and Visin (2016), https://arxiv.org/abs/1603.07285.
"""

from dataclasses import dataclass

from convlens.core.errors import ShapeError


@dataclass(frozen=True, slots=True)
class Window:
    """A kernel sliding along one axis; all fields count elements of the input axis."""

    kernel: int
    stride: int = 1
    padding: int = 0  # on each side
    dilation: int = 1

    def __post_init__(self) -> None:
        if min(self.kernel, self.stride, self.dilation) < 1 or self.padding < 0:
            raise ShapeError(f"{self}: kernel, stride, dilation must be >= 1, padding >= 0")

    @property
    def extent(self) -> int:
        """Inputs from the first tap to the last, holes included.

        >>> Window(3, dilation=2).extent
        5
        """
        return self.dilation * (self.kernel - 1) + 1

    def output_size(self, size: int) -> int:
        """How many times the window fits on `size` inputs.

        >>> Window(5, padding=2, stride=2).output_size(28)
        14

        Raises:
            ShapeError: it does not fit once.
        """
        room = size + 2 * self.padding - self.extent
        if room < 0:
            raise ShapeError(
                f"{self} spans {self.extent} but sees only {size} + 2 x {self.padding} padding"
            )
        return room // self.stride + 1

    def taps(self, index: int) -> range:
        """Input positions that output `index` reads; those outside the input are padding.

        >>> list(Window(3, padding=1).taps(0))
        [-1, 0, 1]
        """
        start = index * self.stride - self.padding
        return range(start, start + self.extent, self.dilation)

    def then(self, after: "Window") -> "Window":
        """The one window that covers what this one followed by `after` covers.

        It composes geometry, not values: a middle layer pads features, not pixels.

        >>> Window(3, padding=1).then(Window(3, padding=1))  # VGG: two 3s see a 5
        Window(kernel=5, stride=1, padding=2, dilation=1)
        """
        return Window(
            kernel=self.extent + (after.extent - 1) * self.stride,
            stride=self.stride * after.stride,
            padding=self.padding + after.padding * self.stride,
        )

    def union(self, other: "Window") -> "Window":
        """The smallest one window that covers this one and `other`, for each output.

        >>> Window(3, padding=1).union(Window(1))  # a residual block: f(x) + x
        Window(kernel=3, stride=1, padding=1, dilation=1)
        >>> Window(2).union(Window(3, padding=2))
        Window(kernel=4, stride=1, padding=2, dilation=1)

        Raises:
            ShapeError: the strides differ, so the two drift apart and no window covers both.
        """
        if self.stride != other.stride:
            raise ShapeError(f"{self} and {other} drift apart: their strides differ")
        padding = max(self.padding, other.padding)
        end = max(self.extent - self.padding, other.extent - other.padding)
        return Window(end + padding, self.stride, padding)
