"""Stems: the first layers, which see pixels.

A stem for ImageNet shrinks its images fourfold before the first block, which leaves a 28x28
image with 7x7 places: too few. The small stem keeps every pixel.

Source: He et al. (2015), https://arxiv.org/abs/1512.03385, Table 1 (imagenet) and section 4.2
(small).
"""

from typing import Literal

from torch import nn

from convlens.nn.pool import MaxPool2d
from convlens.nn.unit import conv_unit, named

StemName = Literal["imagenet", "small"]


def conv_stem(
    in_channels: int,
    out_channels: int,
    name: StemName,
    *,
    bias: bool = False,
    norm: bool = True,
    activation: bool = True,
) -> nn.Sequential:
    """7x7 convolution with stride 2 and 3x3 max-pooling with stride 2; "small": 3x3, no pooling.

    >>> len(conv_stem(1, 64, "small")), len(conv_stem(3, 64, "imagenet"))
    (3, 4)
    """
    small = name == "small"
    unit = conv_unit(
        in_channels,
        out_channels,
        3 if small else 7,
        stride=1 if small else 2,
        bias=bias,
        norm=norm,
        activation=activation,
    )
    pool = {} if small else {"pool": MaxPool2d(3, stride=2, padding=1)}
    return named(**dict(unit.named_children()), **pool)
