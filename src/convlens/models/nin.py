"""NiN: a small network at every place, by 1x1 convolutions, and no linear layer at all.

Source: Lin, Chen and Yan (2013), https://arxiv.org/abs/1312.4400, Figure 2; d2l 8.3.
Differs from the paper, as d2l does: windows and widths like AlexNet's, for large images; the
paper's own networks are for images of 32 pixels.
"""

from dataclasses import dataclass
from typing import final

from pydantic import PositiveInt
from torch import Tensor, nn

from convlens.core.config import Fraction
from convlens.core.shapes import Batch, Logits
from convlens.nn.conv import Conv2d
from convlens.nn.init import InitializerName, initialize
from convlens.nn.pool import GlobalAvgPool2d, MaxPool2d
from convlens.nn.stem import StemName
from convlens.nn.unit import named
from convlens.ops.window import Window

STEM, SMALL_STEM, POOL = Window(11, stride=4), Window(3, padding=1), Window(3, stride=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class NiNConfig:
    """The book's NiN by default."""

    in_channels: PositiveInt = 1
    num_classes: PositiveInt = 10
    image_size: PositiveInt = 224  # height and width of the input, pixels
    widths: tuple[PositiveInt, PositiveInt, PositiveInt] = (96, 256, 384)  # channels per block
    dropout: Fraction = 0.5  # before the last block
    stem: StemName = "imagenet"  # small: 3x3 and no pooling, for images of 28 or 32 pixels
    init: InitializerName = "kaiming"  # how weights start


def nin_block(in_channels: int, out_channels: int, window: Window) -> nn.Sequential:
    """A convolution by `window` and two by 1x1, each with ReLU.

    >>> list(dict(nin_block(1, 8, Window(3)).named_children()))
    ['conv1', 'relu1', 'conv2', 'relu2', 'conv3', 'relu3']
    """
    return named(
        conv1=Conv2d(
            in_channels, out_channels, window.kernel, stride=window.stride, padding=window.padding
        ),
        relu1=nn.ReLU(inplace=True),
        conv2=Conv2d(out_channels, out_channels, 1),
        relu2=nn.ReLU(inplace=True),
        conv3=Conv2d(out_channels, out_channels, 1),
        relu3=nn.ReLU(inplace=True),
    )


@final
class NiN(nn.Module):
    """head(body(stem(x))): the last block's channels, averaged, are the logits.

    Raises:
        ShapeError: the images are too small.
    """

    def __init__(self, config: NiNConfig) -> None:
        super().__init__()
        width1, width2, width3 = config.widths
        small = config.stem == "small"
        first = SMALL_STEM if small else STEM
        side = first.output_size(config.image_size)
        for _ in range(2 if small else 3):
            side = POOL.output_size(side)  # ShapeError if nothing is left
        block = nin_block(config.in_channels, width1, first)
        self.stem = named(block=block, **({} if small else {"pool": _pool()}))
        self.body = named(
            stage1=named(block=nin_block(width1, width2, Window(5, padding=2)), pool=_pool()),
            stage2=named(block=nin_block(width2, width3, Window(3, padding=1)), pool=_pool()),
        )
        self.head = named(
            dropout=nn.Dropout(config.dropout),
            block=nin_block(width3, config.num_classes, Window(3, padding=1)),
            pool=GlobalAvgPool2d(),
            flatten=nn.Flatten(),
        )
        initialize(self, config.init)

    def forward(self, x: Batch) -> Logits:
        """The logits of a batch of images."""
        y: Tensor = self.head(self.body(self.stem(x)))
        return y


def _pool() -> MaxPool2d:
    return MaxPool2d(POOL.kernel, POOL.stride)
