"""VGG: blocks of 3x3 convolutions, each block half as large and up to twice as wide.

Source: Simonyan and Zisserman (2014), https://arxiv.org/abs/1409.1556, Table 1; d2l 8.2.
Differs from the paper, as torchvision does: an adaptive pooling to 7x7 before the linear layers,
so that any larger image fits; the d2l presets are without it. With batch norm the convolutions
keep their bias, as in torchvision.
"""

from dataclasses import dataclass
from typing import final

from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from convlens.core.config import Fraction
from convlens.core.errors import ConfigError
from convlens.core.shapes import Batch, Logits
from convlens.nn.conv import Conv2d
from convlens.nn.head import hidden_head
from convlens.nn.init import InitializerName, initialize
from convlens.nn.pool import MaxPool2d
from convlens.nn.stem import StemName
from convlens.nn.unit import named
from convlens.ops.window import Window

POOL = Window(2, stride=2)


@dataclass(frozen=True, kw_only=True, slots=True)
class VGGConfig:
    """VGG-11 for ImageNet by default.

    Raises:
        ConfigError: the stages do not agree.
    """

    in_channels: PositiveInt = 3
    num_classes: PositiveInt = 1000
    image_size: PositiveInt = 224  # height and width of the input, pixels
    depths: tuple[PositiveInt, ...] = (1, 1, 2, 2, 2)  # convolutions per block
    widths: tuple[PositiveInt, ...] = (64, 128, 256, 512, 512)  # channels per block
    batch_norm: bool = False  # whether a norm follows each convolution
    pool_size: NonNegativeInt = 7  # the head pools to this height and width first; 0: it does not
    hidden: PositiveInt = 4096  # features of the two hidden linear layers
    dropout: Fraction = 0.5  # after each hidden layer
    stem: StemName = "imagenet"  # small: no pooling after the first block, for 28 or 32 pixels
    init: InitializerName = "kaiming"  # how weights start

    def __post_init__(self) -> None:
        if len(self.depths) != len(self.widths) or not self.depths:
            raise ConfigError(
                f"model.depths has {len(self.depths)} blocks and model.widths {len(self.widths)}",
                fix="give both as many numbers as there are blocks, at least one",
            )


def vgg_block(
    in_channels: int,
    out_channels: int,
    num_convs: int,
    *,
    batch_norm: bool = False,
    pool: bool = True,
) -> nn.Sequential:
    """`num_convs` times 3x3 convolution (norm) and ReLU, then 2x2 max-pooling.

    >>> list(dict(vgg_block(3, 8, 1).named_children()))
    ['conv1', 'relu1', 'pool']
    """
    parts: dict[str, nn.Module] = {}
    for index in range(1, num_convs + 1):
        parts[f"conv{index}"] = Conv2d(in_channels, out_channels, 3, padding=1)
        if batch_norm:
            parts[f"norm{index}"] = nn.BatchNorm2d(out_channels)
        parts[f"relu{index}"] = nn.ReLU(inplace=True)
        in_channels = out_channels
    if pool:
        parts["pool"] = MaxPool2d(POOL.kernel, POOL.stride)
    return named(**parts)


@final
class VGG(nn.Module):
    """head(body(stem(x))): the first block is the stem, the others are the stages.

    Raises:
        ShapeError: the images are too small.
    """

    def __init__(self, config: VGGConfig) -> None:
        super().__init__()
        blocks: list[nn.Sequential] = []
        side, in_channels = config.image_size, config.in_channels
        for index, (depth, width) in enumerate(zip(config.depths, config.widths, strict=True)):
            pool = index > 0 or config.stem == "imagenet"
            blocks.append(
                vgg_block(in_channels, width, depth, batch_norm=config.batch_norm, pool=pool)
            )
            side, in_channels = POOL.output_size(side) if pool else side, width
        self.stem = blocks[0]
        self.body = named(**{f"stage{i}": block for i, block in enumerate(blocks[1:], start=1)})
        self.head = hidden_head(
            in_channels,
            side,
            config.num_classes,
            hidden=config.hidden,
            dropout=config.dropout,
            pool_size=config.pool_size,
        )
        initialize(self, config.init)

    def forward(self, x: Batch) -> Logits:
        """The logits of a batch of images."""
        y: Tensor = self.head(self.body(self.stem(x)))
        return y


def torchvision_names(config: VGGConfig) -> dict[str, str]:
    """The path here of each module with weights, by its path in torchvision's VGG."""
    names = {f"classifier.{3 * i}": f"head.linear{i + 1}" for i in range(3)}
    place = 0  # in torchvision's one long sequence
    for stage, depth in enumerate(config.depths):
        block = f"body.stage{stage}" if stage else "stem"
        for index in range(1, depth + 1):
            names[f"features.{place}"] = f"{block}.conv{index}"
            if config.batch_norm:
                names[f"features.{place + 1}"] = f"{block}.norm{index}"
            place += 3 if config.batch_norm else 2
        place += 1  # the pooling
    return names
