"""ResNet: learn what to add to x, not what to make of it.

Source: He et al. (2015), https://arxiv.org/abs/1512.03385, Table 1; Zagoruyko and Komodakis
(2016), https://arxiv.org/abs/1605.07146 (wide); d2l 8.6.
Differs from the paper, as torchvision does: a bottleneck strides in its 3x3 convolution.
Differs from d2l: the 1x1 shortcut has a norm and convolutions have no bias, as in torchvision;
the `resnet18-d2l` preset has it d2l's way.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, final

from pydantic import PositiveInt
from torch import Tensor, nn

from convlens.core.shapes import Batch, Logits
from convlens.nn.head import linear_head
from convlens.nn.init import InitializerName, initialize
from convlens.nn.residual import ResidualSum, projection, zero_last_norms
from convlens.nn.stages import block_stages
from convlens.nn.stem import StemName, conv_stem
from convlens.nn.unit import conv_unit, named

EXPANSION = 4  # a bottleneck's output has as many times the channels of its stage's width


@dataclass(frozen=True, kw_only=True, slots=True)
class ResNetConfig:
    """ResNet-18 for ImageNet by default."""

    in_channels: PositiveInt = 3
    num_classes: PositiveInt = 1000
    image_size: PositiveInt = 224  # height and width of the input, pixels; any will do
    block: Literal["basic", "bottleneck"] = "basic"  # two 3x3 convolutions, or 1x1, 3x3, 1x1
    depths: tuple[PositiveInt, ...] = (2, 2, 2, 2)  # blocks per stage
    width: PositiveInt = 64  # channels of the first stage; each later one has twice as many
    bottleneck_width: PositiveInt = 1  # how many times wider a bottleneck's 3x3 convolution is
    stem: StemName = "imagenet"  # small: 3x3 and no pooling, for images of 28 or 32 pixels
    conv_bias: bool = False  # d2l's convolutions have one before each norm
    shortcut_norm: bool = True  # whether a norm follows a 1x1 shortcut
    zero_init_residual: bool = False  # each block starts as the identity
    init: InitializerName = "kaiming"  # how weights start


@final
class ResidualBlock(ResidualSum):
    """`relu(f(x) + shortcut(x))`, with f = conv3, norm, relu, conv3, norm."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        stride: int = 1,
        bias: bool = False,
        shortcut_norm: bool = True,
    ) -> None:
        residual = named(
            unit1=conv_unit(in_channels, out_channels, 3, stride=stride, bias=bias),
            unit2=conv_unit(out_channels, out_channels, 3, bias=bias, activation=False),
        )
        super().__init__(
            residual,
            projection(in_channels, out_channels, stride, bias=bias, norm=shortcut_norm),
        )


@final
class Bottleneck(ResidualSum):
    """`relu(f(x) + shortcut(x))`, with f = conv1 to `inner_channels`, conv3, conv1, each normed."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        inner_channels: int,
        stride: int = 1,
        bias: bool = False,
        shortcut_norm: bool = True,
    ) -> None:
        inner = inner_channels
        residual = named(
            unit1=conv_unit(in_channels, inner, 1, bias=bias),
            unit2=conv_unit(inner, inner, 3, stride=stride, bias=bias),
            unit3=conv_unit(inner, out_channels, 1, bias=bias, activation=False),
        )
        super().__init__(
            residual,
            projection(in_channels, out_channels, stride, bias=bias, norm=shortcut_norm),
        )


@final
class ResNet(nn.Module):
    """head(body(stem(x))); each stage but the first halves height and width."""

    def __init__(self, config: ResNetConfig) -> None:
        super().__init__()
        bias, shortcut_norm = config.conv_bias, config.shortcut_norm

        def basic(in_channels: int, out_channels: int, stride: int) -> ResidualBlock:
            return ResidualBlock(
                in_channels, out_channels, stride=stride, bias=bias, shortcut_norm=shortcut_norm
            )

        def bottleneck(in_channels: int, out_channels: int, stride: int) -> Bottleneck:
            return Bottleneck(
                in_channels,
                out_channels,
                inner_channels=out_channels // EXPANSION * config.bottleneck_width,
                stride=stride,
                bias=bias,
                shortcut_norm=shortcut_norm,
            )

        block, expansion = (basic, 1) if config.block == "basic" else (bottleneck, EXPANSION)
        widths = [config.width * 2**stage * expansion for stage in range(len(config.depths))]
        self.stem = conv_stem(config.in_channels, config.width, config.stem, bias=bias)
        self.body = block_stages(block, config.width, widths, config.depths)
        self.head = linear_head(widths[-1], config.num_classes)
        initialize(self, config.init)
        if config.zero_init_residual:
            zero_last_norms(self)

    def forward(self, x: Batch) -> Logits:
        """The logits of a batch of images."""
        y: Tensor = self.head(self.body(self.stem(x)))
        return y


def torchvision_names(config: ResNetConfig) -> dict[str, str]:
    """The path here of each module with weights, by its path in torchvision's ResNet."""
    return resnet_names(config.depths, units=2 if config.block == "basic" else 3)


def resnet_names(depths: Sequence[int], units: int) -> dict[str, str]:
    """The same for a body of these depths, whose blocks have so many units."""
    names = {"conv1": "stem.conv", "bn1": "stem.norm", "fc": "head.linear"}
    for stage, depth in enumerate(depths, start=1):
        for index in range(depth):
            theirs, ours = f"layer{stage}.{index}", f"body.stage{stage}.block{index + 1}"
            for unit in range(1, units + 1):
                names[f"{theirs}.conv{unit}"] = f"{ours}.residual.unit{unit}.conv"
                names[f"{theirs}.bn{unit}"] = f"{ours}.residual.unit{unit}.norm"
            if index == 0:  # only there can a shortcut have weights
                names[f"{theirs}.downsample.0"] = f"{ours}.shortcut.conv"
                names[f"{theirs}.downsample.1"] = f"{ours}.shortcut.norm"
    return names
