"""Conv2d: torch's own layer, whose arithmetic can be chosen by name.

Everything but the arithmetic is inherited: constructor, initial weights, state dict. So a model
trained by one implementation runs on any other that can do its layers.

Source: d2l 7.2-7.4; https://docs.pytorch.org/docs/stable/generated/torch.nn.Conv2d.html.
"""

from typing import Any, final

import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from jaxtyping import Float
from torch import Tensor, nn

from convlens.core.errors import ConfigError
from convlens.ops.catalog import choose
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.geometry import Geometry, PaddingMode, pair

Size = int | tuple[int, int]  # one number for both axes, or (rows, columns), as torch has it


@final
class Conv2d(nn.Conv2d):
    """A `torch.nn.Conv2d` whose forward is done by `implementation`, a line of `ops/catalog.py`.

    `padding` may be "valid" or "same", as in torch: the odd cell of "same" with an even kernel
    is added below and to the right.

    >>> Conv2d(1, 6, 3, padding="same", implementation="winograd-2x2")
    Conv2d(1, 6, kernel_size=(3, 3), stride=(1, 1), padding=same, implementation='winograd-2x2')
    >>> Conv2d(1, 6, 5, implementation="winograd-2x2")
    Traceback (most recent call last):
    convlens.core.errors.ConfigError: Conv2d(1, 6, kernel_size=(5, 5), stride=(1, 1), \
implementation='winograd-2x2'): implementation 'winograd-2x2' cannot do this correlation: its \
tiles are for a 3x3 kernel with stride 1 and dilation 1; this is a 5x5, stride 1x1, dilation 1x1
    these can: fft, matrix, native, reference, unfold

    Raises:
        ConfigError: the implementation cannot do a layer of these settings; says which can.
        UnknownName: no such implementation.
        ShapeError, ValueError: settings that make no sense; the latter are torch's own.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - torch's settings in torch's order, and the algorithm
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Size,
        stride: Size = 1,
        padding: str | Size = 0,
        dilation: Size = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: PaddingMode = "zeros",
        device: Any = None,
        dtype: Any = None,
        *,
        implementation: str = "native",
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )
        self.implementation = implementation
        if implementation != "native":
            self._refuse_what_cannot_be_done()

    def forward(self, input: Float[Tensor, "*n c h w"]) -> Float[Tensor, "*n o oh ow"]:
        """The cross-correlation of the images with the layer's kernels, plus its bias."""
        if self.implementation == "native":
            return super().forward(input)
        if input.ndim == 3:  # one image, as torch takes it too
            return self.forward(input.unsqueeze(0)).squeeze(0)
        padding, odd = self._padding()
        if any(odd):
            input, padding = self._pad_unevenly(input, padding, odd), (0, 0)
        return cross_correlation2d(
            input,
            self.weight,
            bias=self.bias,
            stride=self.stride,
            padding=padding,
            dilation=self.dilation,
            groups=self.groups,
            padding_mode=self.padding_mode,
            implementation=self.implementation,
        )

    def extra_repr(self) -> str:
        """The settings of the layer as torch prints them, and the implementation if chosen."""
        settings = super().extra_repr()
        if self.implementation == "native":
            return settings
        return f"{settings}, implementation={self.implementation!r}"

    def _padding(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The padding on each side, and what "same" adds below and to the right besides."""
        if not isinstance(self.padding, str):
            return pair(self.padding, "padding"), (0, 0)
        if self.padding == "valid":
            return (0, 0), (0, 0)
        geometry = self._geometry(0)
        height, width = geometry.rows.extent - 1, geometry.columns.extent - 1  # "same", stride 1
        return (height // 2, width // 2), (height % 2, width % 2)

    def _pad_unevenly(
        self, input: Tensor, padding: tuple[int, int], odd: tuple[int, int]
    ) -> Tensor:
        (top, left), (below, right) = padding, odd
        if input.ndim == 4:  # else the correlation says what is wrong
            larger = self._geometry((top + below, left + right))
            larger.output_size(input.shape[2], input.shape[3])  # can the mode pad so far?
        mode = "constant" if self.padding_mode == "zeros" else self.padding_mode
        return F.pad(input, (left, left + right, top, top + below), mode)

    def _geometry(self, padding: Size) -> Geometry:
        return Geometry.of(
            self.kernel_size,
            stride=self.stride,
            padding=padding,
            dilation=self.dilation,
            groups=self.groups,
            padding_mode=self.padding_mode,
        )

    def _refuse_what_cannot_be_done(self) -> None:
        padding, odd = self._padding()
        geometry = self._geometry((0, 0) if any(odd) else padding)
        try:
            choose(self.implementation, geometry)
        except ConfigError as error:
            raise ConfigError(f"{self}: {error.what}", fix=error.fix) from None
