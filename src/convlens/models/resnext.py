"""ResNeXt: a bottleneck of many narrow paths, written as one grouped convolution.

Source: Xie et al. (2016), https://arxiv.org/abs/1611.05431, Table 1; d2l 8.6.5.
Differs from d2l: it has the block and no network, so the `resnext18-d2l` preset puts that block in
the stages of ResNet-18; `groups` is the number of groups, as in the paper; d2l's block takes the
channels per group under that name.
"""

from dataclasses import dataclass
from typing import final

from pydantic import PositiveInt
from torch import Tensor, nn

from convlens.core.errors import ConfigError
from convlens.core.shapes import Batch, Logits
from convlens.models.resnet import resnet_names
from convlens.nn.head import linear_head
from convlens.nn.init import InitializerName, initialize
from convlens.nn.residual import ResidualSum, projection, zero_last_norms
from convlens.nn.stages import block_stages
from convlens.nn.stem import StemName, conv_stem
from convlens.nn.unit import conv_unit, named

STEM_WIDTH = 64


@dataclass(frozen=True, kw_only=True, slots=True)
class ResNeXtConfig:
    """ResNeXt-50 (32x4d) for ImageNet by default."""

    in_channels: PositiveInt = 3
    num_classes: PositiveInt = 1000
    image_size: PositiveInt = 224  # height and width of the input, pixels; any will do
    depths: tuple[PositiveInt, ...] = (3, 4, 6, 3)  # blocks per stage
    width: PositiveInt = 256  # channels of the first stage's output; each later one has twice
    groups: PositiveInt = 32  # of the 3x3 convolutions: the paper's cardinality
    group_width: PositiveInt = 4  # channels of a group in the first stage; then doubled
    stem: StemName = "imagenet"  # small: 3x3 and no pooling, for images of 28 or 32 pixels
    conv_bias: bool = False  # d2l's convolutions have one before each norm
    zero_init_residual: bool = False  # each block starts as the identity
    init: InitializerName = "kaiming"  # how weights start


@final
class ResNeXtBlock(ResidualSum):
    """`relu(f(x) + shortcut(x))`, with f = conv1, conv3 in `groups`, conv1, each normed.

    Raises:
        ConfigError: the inner channels do not divide into the groups.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        inner_channels: int,
        groups: int,
        stride: int = 1,
        bias: bool = False,
    ) -> None:
        inner = inner_channels
        if inner % groups:
            raise ConfigError(f"{inner} inner channels do not divide into {groups} groups")
        residual = named(
            unit1=conv_unit(in_channels, inner, 1, bias=bias),
            unit2=conv_unit(inner, inner, 3, stride=stride, groups=groups, bias=bias),
            unit3=conv_unit(inner, out_channels, 1, bias=bias, activation=False),
        )
        super().__init__(residual, projection(in_channels, out_channels, stride, bias=bias))


@final
class ResNeXt(nn.Module):
    """head(body(stem(x))); each stage but the first halves height and width."""

    def __init__(self, config: ResNeXtConfig) -> None:
        super().__init__()
        inner_of_first = config.groups * config.group_width

        def block(in_channels: int, out_channels: int, stride: int) -> ResNeXtBlock:
            return ResNeXtBlock(
                in_channels,
                out_channels,
                inner_channels=inner_of_first * (out_channels // config.width),
                groups=config.groups,
                stride=stride,
                bias=config.conv_bias,
            )

        widths = [config.width * 2**stage for stage in range(len(config.depths))]
        self.stem = conv_stem(config.in_channels, STEM_WIDTH, config.stem, bias=config.conv_bias)
        self.body = block_stages(block, STEM_WIDTH, widths, config.depths)
        self.head = linear_head(widths[-1], config.num_classes)
        initialize(self, config.init)
        if config.zero_init_residual:
            zero_last_norms(self)

    def forward(self, x: Batch) -> Logits:
        """The logits of a batch of images."""
        y: Tensor = self.head(self.body(self.stem(x)))
        return y


def torchvision_names(config: ResNeXtConfig) -> dict[str, str]:
    """The path here of each module with weights, by its path in torchvision's ResNet."""
    return resnet_names(config.depths, units=3)
