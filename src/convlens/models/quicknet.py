"""QuickNet: a small network that learns in few epochs, for a good result in seconds.

Its first layer is computed from the images, pooling comes before norm and activation so that
these work on a quarter of the numbers, and its logits are scaled down so that the first steps are
not of overconfidence.

Source: Jordan (2024), https://arxiv.org/abs/2404.00498, sections 3.1 and 3.2, whose network for
CIFAR-10 it is after: whitening, convolutions of 3x3 with batch norm, a linear head without bias.
Differs from it: ReLU; images keep their size in the whitening, and a pooling follows that; the
last maps are handed to the head as they are; batch norm has scales; widths are for two CPU cores.
"""

from dataclasses import dataclass
from typing import Literal, final

from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn

from convlens.core.errors import ConfigError
from convlens.core.shapes import Batch, Logits, Maps
from convlens.nn.conv import Conv2d
from convlens.nn.init import InitializerName, initialize
from convlens.nn.pool import MaxPool2d
from convlens.nn.stem import Whitening
from convlens.nn.unit import named
from convlens.ops.window import Window

ACTIVATIONS = {"relu": nn.ReLU, "silu": nn.SiLU}


@dataclass(frozen=True, kw_only=True, slots=True)
class QuickNetConfig:
    """For images of 28 pixels by default.

    Raises:
        ConfigError: the stages do not agree, or a residual would add maps of two sizes.
    """

    in_channels: PositiveInt = 1
    num_classes: PositiveInt = 10
    image_size: PositiveInt = 28  # height and width of the input, pixels
    whitening: PositiveInt = 3  # height and width of the first layer's kernels, pixels
    depths: tuple[PositiveInt, ...] = (1, 2)  # convolutions per stage
    widths: tuple[PositiveInt, ...] = (32, 64)  # channels per stage
    pool: Literal["first", "last"] = "last"  # the convolution of a stage that a pooling follows
    pool_partial: bool = False  # whether a last row that makes no whole window is pooled, too
    residual: bool = False  # whether a stage's convolutions after its first are added to that
    activation: Literal["relu", "silu"] = "relu"
    logit_scale: PositiveFloat = 0.125  # what the head's outputs are multiplied by
    init: InitializerName = "torch"  # how weights start

    def __post_init__(self) -> None:
        if len(self.depths) != len(self.widths) or not self.depths:
            raise ConfigError(
                f"model.depths has {len(self.depths)} stages and model.widths {len(self.widths)}",
                fix="give both as many numbers as there are stages, at least one",
            )
        if self.residual and self.pool != "first":
            raise ConfigError(
                'model.residual: needs model.pool = "first", so that what is added is of one size'
            )


@final
class Scale(nn.Module):
    """`factor * x`.

    >>> Scale(0.125)
    Scale(factor=0.125)
    """

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """`factor * x`."""
        return x * self.factor

    def extra_repr(self) -> str:
        """What `print` shows."""
        return f"factor={self.factor}"


@final
class Stage(nn.Module):
    """`first(x)`, then `rest`, perhaps added to what `first` has given."""

    def __init__(self, first: nn.Module, rest: nn.Sequential, *, residual: bool) -> None:
        super().__init__()
        self.first, self.rest = first, rest
        self.residual = residual and len(rest) > 0

    def forward(self, x: Batch) -> Maps:
        """The maps of the stage."""
        y: Tensor = self.first(x)
        z: Tensor = self.rest(y)
        return y + z if self.residual else z


@final
class QuickNet(nn.Module):
    """head(body(stem(x))); the stem and each stage halve height and width.

    Raises:
        ShapeError: the images are too small.
    """

    def __init__(self, config: QuickNetConfig) -> None:
        super().__init__()
        self.config = config
        whole = Window(2, stride=2)
        stem = Whitening(config.in_channels, config.whitening)
        side = whole.output_size(
            Window(config.whitening, padding=config.whitening // 2).output_size(config.image_size)
        )
        self.stem = named(whitening=stem, pool=MaxPool2d(2))
        channels = stem.conv.out_channels
        stages: dict[str, nn.Module] = {}
        for number, (depth, width) in enumerate(
            zip(config.depths, config.widths, strict=True), start=1
        ):
            stages[f"stage{number}"] = self._stage(channels, width, depth)
            partial = config.pool_partial and side % 2
            side, channels = whole.output_size(side + 1 if partial else side), width
        self.body = named(**stages)
        self.head = named(
            flatten=nn.Flatten(),
            linear=nn.Linear(channels * side * side, config.num_classes, bias=False),
            scale=Scale(config.logit_scale),
        )
        initialize(self, config.init)

    def _stage(self, in_channels: int, width: int, depth: int) -> Stage:
        pooled = 0 if self.config.pool == "first" else depth - 1
        units = [
            self._unit(in_channels if index == 0 else width, width, pool=index == pooled)
            for index in range(depth)
        ]
        rest = named(**{f"unit{i}": unit for i, unit in enumerate(units[1:], start=2)})
        return Stage(units[0], rest, residual=self.config.residual)

    def _unit(self, in_channels: int, out_channels: int, *, pool: bool) -> nn.Sequential:
        parts: dict[str, nn.Module] = {
            "conv": Conv2d(in_channels, out_channels, 3, padding=1, bias=False)
        }
        if pool:
            parts["pool"] = MaxPool2d(2, ceil_mode=self.config.pool_partial)
        parts["norm"] = nn.BatchNorm2d(out_channels)
        parts["activation"] = ACTIVATIONS[self.config.activation](inplace=True)
        return named(**parts)

    def forward(self, x: Batch) -> Logits:
        """The logits of a batch of images."""
        y: Tensor = self.head(self.body(self.stem(x)))
        return y
