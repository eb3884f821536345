"""LeNet: two convolutions with pooling, then three linear layers.

Source: LeCun et al. (1998), http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf, Figure 2;
d2l 7.6.
Differs from the paper, as d2l does: sigmoid instead of scaled tanh, plain average pooling,
all channels connected, a linear output layer. The modern preset takes ReLU and max-pooling, the
batch-norm preset is d2l 8.5's.
"""

from collections import OrderedDict
from dataclasses import dataclass
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from convlens.core.shapes import Batch, Logits
from convlens.nn.conv import Conv2d
from convlens.nn.init import InitializerName, initialize
from convlens.nn.pool import AvgPool2d, MaxPool2d, pooling_beside
from convlens.ops.catalog import ImplementationName
from convlens.ops.window import Window

ACTIVATIONS = {"sigmoid": nn.Sigmoid, "relu": nn.ReLU}
POOLS = {"avg": AvgPool2d, "max": MaxPool2d}

STAGE, POOL = Window(5), Window(2, stride=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class LeNetConfig:
    """The book's LeNet by default; channels and widths as in the paper."""

    in_channels: PositiveInt = 1
    num_classes: PositiveInt = 10
    image_size: PositiveInt = 28  # height and width of the input, pixels; at least 12, unpadded 16
    activation: Literal["sigmoid", "relu"] = "sigmoid"
    pooling: Literal["avg", "max"] = "avg"
    batch_norm: bool = False  # a norm before each activation, as d2l 8.5 has it
    stem_padding: NonNegativeInt = 2  # of the first convolution; d2l 8.5 has none
    init: InitializerName = "xavier"  # how weights start
    implementation: ImplementationName = "native"  # of the convolutions and, where it has a
    # pooling, of the pools too (else theirs is native); Winograd's cannot do the 5x5 kernels


class LeNet(nn.Module):
    """head(body(stem(x))), each convolution followed by activation and 2x2 pooling.

    Raises:
        ConfigError: the implementation cannot do 5x5 kernels; says which can.
        ShapeError: the images are too small.
    """

    def __init__(self, config: LeNetConfig) -> None:
        super().__init__()
        activation, pool = ACTIVATIONS[config.activation], POOLS[config.pooling]
        implementation = config.implementation
        pooling = pooling_beside(implementation)

        def normed(norm: type[nn.Module], features: int) -> list[nn.Module]:
            return [norm(features), activation()] if config.batch_norm else [activation()]

        def stage(in_channels: int, out_channels: int, window: Window) -> nn.Sequential:
            conv = Conv2d(
                in_channels,
                out_channels,
                window.kernel,
                padding=window.padding,
                implementation=implementation,
            )
            return nn.Sequential(
                conv,
                *normed(nn.BatchNorm2d, out_channels),
                pool(POOL.kernel, POOL.stride, implementation=pooling),
            )

        stem, side = Window(5, padding=config.stem_padding), config.image_size
        for window in (stem, POOL, STAGE, POOL):
            side = window.output_size(side)
        self.stem = stage(config.in_channels, 6, stem)
        self.body = nn.Sequential(OrderedDict(stage1=stage(6, 16, STAGE)))
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Linear(16 * side * side, 120),
            *normed(nn.BatchNorm1d, 120),
            nn.Linear(120, 84),
            *normed(nn.BatchNorm1d, 84),
            nn.Linear(84, config.num_classes),
        )
        initialize(self, config.init)

    def forward(self, x: Batch) -> Logits:
        """The logits of a batch of images."""
        y: Tensor = self.head(self.body(self.stem(x)))
        return y
