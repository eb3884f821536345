"""DenseNet: each layer reads all that was made before it and adds a little more.

Source: Huang et al. (2016), https://arxiv.org/abs/1608.06993, Table 1 and section 3; d2l 8.7.
Differs from the paper: the default is its DenseNet-BC, which has bottlenecks and halves the
channels between dense blocks. d2l's has no bottlenecks (`bottleneck=0`) and convolutions with
biases (`conv_bias`).
"""

from collections import OrderedDict
from dataclasses import dataclass
from itertools import pairwise
from typing import final

import torch
from jaxtyping import Float
from pydantic import NonNegativeInt, PositiveInt
from torch import Tensor, nn

from convlens.core.errors import ShapeError
from convlens.core.shapes import Batch, Logits
from convlens.nn.conv import Conv2d
from convlens.nn.head import linear_head
from convlens.nn.init import InitializerName, initialize
from convlens.nn.pool import AvgPool2d
from convlens.nn.stem import StemName, conv_stem
from convlens.nn.unit import named
from convlens.ops.window import Window

POOL = Window(2, stride=2)  # of a transition


@dataclass(frozen=True, kw_only=True, slots=True)
class DenseNetConfig:
    """DenseNet-121 for ImageNet by default."""

    in_channels: PositiveInt = 3
    num_classes: PositiveInt = 1000
    image_size: PositiveInt = 224  # height and width of the input, pixels; at least 29 by default
    growth_rate: PositiveInt = 32  # channels that each layer adds
    depths: tuple[PositiveInt, ...] = (6, 12, 24, 16)  # layers per dense block
    stem_width: PositiveInt = 64  # channels after the stem
    bottleneck: NonNegativeInt = (
        4  # channels of a layer's 1x1 convolution, in growth rates; 0: none
    )
    stem: StemName = "imagenet"  # small: 3x3 and no pooling, for images of 28 or 32 pixels
    conv_bias: bool = False  # d2l's convolutions have one
    init: InitializerName = "kaiming"  # how weights start


@final
class DenseLayer(nn.Module):
    """`concat(x, f(x))`, with f = norm, relu, conv3 to `growth_rate` channels.

    With a bottleneck f has norm, relu, conv1 to `bottleneck * growth_rate` channels before that.
    """

    def __init__(
        self, in_channels: int, growth_rate: int, *, bottleneck: int = 4, bias: bool = False
    ) -> None:
        super().__init__()
        inner, units = bottleneck * growth_rate, list[nn.Module]()
        if bottleneck:
            units.append(_unit(in_channels, inner, 1, bias))
        units.append(_unit(inner if bottleneck else in_channels, growth_rate, 3, bias))
        self.growth = named(**{f"unit{index}": unit for index, unit in enumerate(units, start=1)})

    def forward(self, x: Batch) -> Float[Tensor, "n o h w"]:
        """The images, height and width kept, with the new channels after the old."""
        return torch.cat([x, self.growth(x)], dim=1)


@final
class DenseBlock(nn.Sequential):
    """`layer1`, `layer2`, ... one after another, each on the channels of all before it."""

    def __init__(
        self,
        in_channels: int,
        depth: int,
        growth_rate: int,
        *,
        bottleneck: int = 4,
        bias: bool = False,
    ) -> None:
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        self.out_channels = in_channels
        for index in range(1, depth + 1):
            layers[f"layer{index}"] = DenseLayer(
                self.out_channels, growth_rate, bottleneck=bottleneck, bias=bias
            )
            self.out_channels += growth_rate
        super().__init__(layers)


@final
class Transition(nn.Sequential):
    """`pool(conv1(relu(norm(x))))`: fewer channels, and the mean of each 2x2 places."""

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = False) -> None:
        unit = _unit(in_channels, out_channels, 1, bias)
        pool = AvgPool2d(POOL.kernel, stride=POOL.stride)
        super().__init__(OrderedDict(unit.named_children(), pool=pool))


@final
class DenseNet(nn.Module):
    """head(body(stem(x))); a stage is a dense block and the transition to the next.

    The last stage has no transition; a norm and a relu end it.

    Raises:
        ShapeError: the images are too small.
    """

    def __init__(self, config: DenseNetConfig) -> None:
        super().__init__()
        _refuse_small_images(config)
        bias, channels = config.conv_bias, config.stem_width
        self.stem = conv_stem(config.in_channels, channels, config.stem, bias=bias)
        stages: dict[str, nn.Module] = {}
        for stage, depth in enumerate(config.depths, start=1):
            block = DenseBlock(
                channels, depth, config.growth_rate, bottleneck=config.bottleneck, bias=bias
            )
            channels = block.out_channels
            if stage < len(config.depths):
                transition = Transition(channels, channels // 2, bias=bias)
                channels //= 2
                stages[f"stage{stage}"] = named(block=block, transition=transition)
            else:
                norm, activation = nn.BatchNorm2d(channels), nn.ReLU(inplace=True)
                stages[f"stage{stage}"] = named(block=block, norm=norm, activation=activation)
        self.body = named(**stages)
        self.head = linear_head(channels, config.num_classes)
        initialize(self, config.init)

    def forward(self, x: Batch) -> Logits:
        """The logits of a batch of images."""
        y: Tensor = self.head(self.body(self.stem(x)))
        return y


def torchvision_names(config: DenseNetConfig) -> dict[str, str]:
    """The path here of each module with weights, by its path in torchvision's DenseNet.

    Two paths there may lead to one here: published weights spell `norm1` also `norm.1`. Without a
    bottleneck, which torchvision always has, a layer's only norm and convolution are its second.
    """
    last = len(config.depths)
    names = {
        "features.conv0": "stem.conv",
        "features.norm0": "stem.norm",
        "features.norm5": f"body.stage{last}.norm",
        "classifier": "head.linear",
    }
    for stage, depth in enumerate(config.depths, start=1):
        for index in range(1, depth + 1):
            theirs = f"features.denseblock{stage}.denselayer{index}"
            ours = f"body.stage{stage}.block.layer{index}.growth"
            for unit, number in ((1, 1), (2, 2)) if config.bottleneck else ((1, 2),):
                for part in ("norm", "conv"):
                    path = f"{ours}.unit{unit}.{part}"
                    names[f"{theirs}.{part}{number}"] = path
                    names[f"{theirs}.{part}.{number}"] = path
        if stage < last:
            for part in ("norm", "conv"):
                theirs, ours = f"features.transition{stage}", f"body.stage{stage}.transition"
                names[f"{theirs}.{part}"] = f"{ours}.{part}"
    return names


def _unit(in_channels: int, out_channels: int, kernel_size: int, bias: bool) -> nn.Sequential:
    """`conv(relu(norm(x)))`: what the layers share is normed anew by each that reads it."""
    return named(
        norm=nn.BatchNorm2d(in_channels),
        activation=nn.ReLU(inplace=True),
        conv=Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias),
    )


def _refuse_small_images(config: DenseNetConfig) -> None:
    """The stem rounds its halves up, a transition rounds them down: 28 has 7, 3, 1, 0 places."""
    side = config.image_size
    if config.stem == "imagenet":
        for window in (Window(7, stride=2, padding=3), Window(3, stride=2, padding=1)):
            side = window.output_size(side)
    try:
        for _ in pairwise(config.depths):
            side = POOL.output_size(side)
    except ShapeError as error:
        raise ShapeError(
            f"images of {config.image_size} pixels are too small for this DenseNet: {error.what}",
            fix="use larger images, fewer dense blocks (model.depths), or model.stem=small",
        ) from None
