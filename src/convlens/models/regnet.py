"""RegNet: a network's widths as one line, and AnyNet, which takes any widths.

AnyNet is a space of networks: a stem, stages of grouped bottlenecks, a head. RegNets are those of
its points whose widths grow from block to block along a line, in steps; `regnet` draws it.

Source: Radosavovic et al. (2020), https://arxiv.org/abs/2003.13678, sections 3.1 and 3.3, Table 5;
d2l 8.8.
Differs from d2l: convolutions have no bias by default (`conv_bias`). Only RegNetX is here: the
blocks of RegNetY have squeeze-and-excitation too.
"""

import math
from dataclasses import dataclass
from itertools import groupby
from typing import Any, final

from pydantic import PositiveInt
from torch import Tensor, nn

from convlens.core.errors import ConfigError
from convlens.core.shapes import Batch, Logits
from convlens.models.resnext import ResNeXtBlock
from convlens.nn.head import linear_head
from convlens.nn.init import InitializerName, initialize
from convlens.nn.stages import block_stages
from convlens.nn.stem import StemName
from convlens.nn.unit import conv_unit

QUANTUM = 8  # a block's width is a multiple of it


@dataclass(frozen=True, kw_only=True, slots=True)
class AnyNetConfig:
    """RegNetX-400MF for ImageNet by default.

    Raises:
        ConfigError: the stages do not agree, or a width does not divide.
    """

    in_channels: PositiveInt = 3
    num_classes: PositiveInt = 1000
    image_size: PositiveInt = 224  # height and width of the input, pixels; any will do
    stem_width: PositiveInt = 32  # channels after the stem
    depths: tuple[PositiveInt, ...] = (1, 2, 7, 12)  # blocks per stage
    widths: tuple[PositiveInt, ...] = (32, 64, 160, 400)  # channels per stage
    group_width: PositiveInt = 16  # channels of a group; a narrower block is one group
    bottleneck_ratio: PositiveInt = 1  # a block's width, in channels of its 3x3 convolution
    stem: StemName = "imagenet"  # a 3x3 convolution with stride 2; small: with stride 1
    conv_bias: bool = False  # d2l's convolutions have one before each norm
    init: InitializerName = "kaiming"  # how weights start

    def __post_init__(self) -> None:
        if len(self.depths) != len(self.widths):
            raise ConfigError(
                f"model.depths has {len(self.depths)} stages and model.widths {len(self.widths)}",
                fix="give both as many numbers as there are stages",
            )
        for width in self.widths:
            inner, rest = divmod(width, self.bottleneck_ratio)
            if rest or inner % min(self.group_width, inner):
                raise ConfigError(
                    f"model.widths: {width} channels do not divide by "
                    f"model.bottleneck_ratio={self.bottleneck_ratio} and then into groups of "
                    f"model.group_width={self.group_width}"
                )


@final
class AnyNet(nn.Module):
    """head(body(stem(x))); each stage halves height and width."""

    def __init__(self, config: AnyNetConfig) -> None:
        super().__init__()

        def block(in_channels: int, out_channels: int, stride: int) -> ResNeXtBlock:
            inner = out_channels // config.bottleneck_ratio
            return ResNeXtBlock(
                in_channels,
                out_channels,
                inner_channels=inner,
                groups=inner // min(config.group_width, inner),
                stride=stride,
                bias=config.conv_bias,
            )

        self.stem = conv_unit(
            config.in_channels,
            config.stem_width,
            3,
            stride=1 if config.stem == "small" else 2,
            bias=config.conv_bias,
        )
        self.body = block_stages(
            block, config.stem_width, config.widths, config.depths, first_stride=2
        )
        self.head = linear_head(config.widths[-1], config.num_classes)
        initialize(self, config.init)

    def forward(self, x: Batch) -> Logits:
        """The logits of a batch of images."""
        y: Tensor = self.head(self.body(self.stem(x)))
        return y


def regnet(
    *,
    depth: int,
    w_0: int,
    w_a: float,
    w_m: float,
    group_width: int,
    bottleneck_ratio: int = 1,
    **settings: Any,
) -> AnyNetConfig:
    """The AnyNet whose block j is as wide as the step nearest to `w_0 + w_a * j`.

    The steps are `w_0 * w_m**k`, rounded to multiples of 8; a stage has the blocks of one step,
    and its width is then rounded to whole groups.

    >>> config = regnet(depth=16, w_0=56, w_a=35.73, w_m=2.28, group_width=16)  # RegNetX-800MF
    >>> config.depths, config.widths
    ((1, 3, 7, 5), (64, 128, 288, 672))

    Args:
        depth: blocks in all stages together.
        w_0: the width that the line starts at.
        w_a: how much wider the line is with each block.
        w_m: how many times wider each step is than the one before.
        group_width: as in `AnyNetConfig`.
        bottleneck_ratio: as in `AnyNetConfig`.
        **settings: the other settings of `AnyNetConfig`.

    Raises:
        ConfigError: parameters that make no line of widths.
    """
    if depth < 1 or w_0 < 1 or w_0 % QUANTUM or w_a < 0 or w_m <= 1:
        raise ConfigError(
            f"depth={depth}, w_0={w_0}, w_a={w_a}, w_m={w_m} make no RegNet",
            fix=f"depth >= 1, w_0 a multiple of {QUANTUM}, w_a >= 0 and w_m > 1 do",
        )
    if group_width < 1 or not 1 <= bottleneck_ratio <= w_0:
        raise ConfigError(
            f"group_width={group_width}, bottleneck_ratio={bottleneck_ratio} make no RegNet",
            fix=f"group_width >= 1 and a bottleneck_ratio from 1 to w_0={w_0} do",
        )
    steps = (round(math.log((w_0 + w_a * block) / w_0, w_m)) for block in range(depth))
    block_widths = [round(w_0 * w_m**step / QUANTUM) * QUANTUM for step in steps]
    stages = [(width, len(list(blocks))) for width, blocks in groupby(block_widths)]
    return AnyNetConfig(
        depths=tuple(depth for _, depth in stages),
        widths=tuple(
            _whole_groups(width // bottleneck_ratio, group_width) * bottleneck_ratio
            for width, _ in stages
        ),
        group_width=group_width,
        bottleneck_ratio=bottleneck_ratio,
        **settings,
    )


def torchvision_names(config: AnyNetConfig) -> dict[str, str]:
    """The path here of each module with weights, by its path in torchvision's RegNet."""
    units = {"stem": "stem"}
    for stage, depth in enumerate(config.depths, start=1):
        for index in range(depth):
            theirs = f"trunk_output.block{stage}.block{stage}-{index}"
            ours = f"body.stage{stage}.block{index + 1}"
            for unit, letter in enumerate("abc", start=1):
                units[f"{theirs}.f.{letter}"] = f"{ours}.residual.unit{unit}"
            if index == 0:  # which strides, so that its shortcut has weights
                units[f"{theirs}.proj"] = f"{ours}.shortcut"
    names = {"fc": "head.linear"}
    for theirs, ours in units.items():
        names[f"{theirs}.0"] = f"{ours}.conv"
        names[f"{theirs}.1"] = f"{ours}.norm"
    return names


def _whole_groups(width: int, group_width: int) -> int:
    """The multiple of `group_width` nearest to `width`, if it is not a tenth below it.

    A width below `group_width` is one group.
    """
    if width <= group_width:
        return width
    whole = (width + group_width / 2) // group_width * group_width
    return int(whole if whole >= 0.9 * width else whole + group_width)
