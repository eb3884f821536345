"""AlexNet: five convolutions, the first with a very large window, and three linear layers.

Source: Krizhevsky, Sutskever and Hinton (2012), https://papers.nips.cc/paper/4824, Figure 2;
Krizhevsky (2014), https://arxiv.org/abs/1404.5997 (the widths of torchvision's); d2l 8.1.
Differs from the first paper, as torchvision and d2l do: one column instead of two, and no local
response normalisation. The d2l preset pads its stem by 1, does not pool before its linear layers
and drops out behind them.
"""

from dataclasses import dataclass
from typing import final

from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from convlens.core.config import Fraction
from convlens.core.shapes import Batch, Logits
from convlens.nn.conv import Conv2d
from convlens.nn.head import hidden_head
from convlens.nn.init import InitializerName, initialize
from convlens.nn.pool import MaxPool2d
from convlens.nn.stem import StemName
from convlens.nn.unit import named
from convlens.ops.window import Window

FiveWidths = tuple[PositiveInt, PositiveInt, PositiveInt, PositiveInt, PositiveInt]
POOL = Window(3, stride=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class AlexNetConfig:
    """torchvision's AlexNet by default."""

    in_channels: PositiveInt = 3
    num_classes: PositiveInt = 1000
    image_size: PositiveInt = 224  # height and width of the input, pixels
    widths: FiveWidths = (64, 192, 384, 256, 256)  # channels of the convolutions
    stem: StemName = "imagenet"  # small: 3x3 and no pooling, for images of 28 or 32 pixels
    stem_padding: NonNegativeInt = 2  # of the 11x11 convolution
    pool_size: NonNegativeInt = 6  # the head pools to this height and width first; 0: it does not
    hidden: PositiveInt = 4096  # features of the two hidden linear layers
    dropout: Fraction = 0.5
    dropout_after: bool = False  # whether it follows each hidden layer, or comes before it
    init: InitializerName = "kaiming"  # how weights start


@final
class AlexNet(nn.Module):
    """head(body(stem(x))).

    Raises:
        ShapeError: the images are too small.
    """

    def __init__(self, config: AlexNetConfig) -> None:
        super().__init__()
        width1, width2, width3, width4, width5 = config.widths
        small = config.stem == "small"
        first = Window(3, padding=1) if small else Window(11, 4, config.stem_padding)
        conv = Conv2d(
            config.in_channels, width1, first.kernel, stride=first.stride, padding=first.padding
        )
        pool = {} if small else {"pool": _pool()}
        self.stem = named(conv=conv, relu=nn.ReLU(inplace=True), **pool)
        self.body = named(
            stage1=named(
                conv=Conv2d(width1, width2, 5, padding=2), relu=nn.ReLU(inplace=True), pool=_pool()
            ),
            stage2=named(
                conv1=Conv2d(width2, width3, 3, padding=1),
                relu1=nn.ReLU(inplace=True),
                conv2=Conv2d(width3, width4, 3, padding=1),
                relu2=nn.ReLU(inplace=True),
                conv3=Conv2d(width4, width5, 3, padding=1),
                relu3=nn.ReLU(inplace=True),
                pool=_pool(),
            ),
        )
        side = first.output_size(config.image_size)
        for _ in range(2 if small else 3):
            side = POOL.output_size(side)
        self.head = hidden_head(
            width5,
            side,
            config.num_classes,
            hidden=config.hidden,
            dropout=config.dropout,
            pool_size=config.pool_size,
            dropout_after=config.dropout_after,
        )
        initialize(self, config.init)

    def forward(self, x: Batch) -> Logits:
        """The logits of a batch of images."""
        y: Tensor = self.head(self.body(self.stem(x)))
        return y


def _pool() -> MaxPool2d:
    return MaxPool2d(POOL.kernel, POOL.stride)


def torchvision_names(config: AlexNetConfig) -> dict[str, str]:
    """The path here of each module with weights, by its path in torchvision's AlexNet."""
    del config  # the layout is always the same
    return {
        "features.0": "stem.conv",
        "features.3": "body.stage1.conv",
        "features.6": "body.stage2.conv1",
        "features.8": "body.stage2.conv2",
        "features.10": "body.stage2.conv3",
        "classifier.1": "head.linear1",
        "classifier.4": "head.linear2",
        "classifier.6": "head.linear3",
    }
