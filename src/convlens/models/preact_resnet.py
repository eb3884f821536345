"""Pre-activation ResNet: norm and ReLU before each convolution, nothing after the sum.

The way from one block to the next is then free of any nonlinearity, so that a thousand layers
can be trained.

Source: He et al. (2016), https://arxiv.org/abs/1603.05027, Figure 1b and the appendix; d2l 8.6,
exercise 4.
"""

from dataclasses import dataclass
from typing import Literal, final

from pydantic import PositiveInt
from torch import Tensor, nn

from convlens.core.shapes import Batch, Logits, Maps
from convlens.models.resnet import EXPANSION
from convlens.nn.conv import Conv2d
from convlens.nn.head import linear_head
from convlens.nn.init import InitializerName, initialize
from convlens.nn.stages import block_stages
from convlens.nn.stem import StemName, conv_stem
from convlens.nn.unit import named


@dataclass(frozen=True, kw_only=True, slots=True)
class PreActResNetConfig:
    """Pre-activation ResNet-18 for ImageNet by default."""

    in_channels: PositiveInt = 3
    num_classes: PositiveInt = 1000
    image_size: PositiveInt = 224  # height and width of the input, pixels; any will do
    block: Literal["basic", "bottleneck"] = "basic"  # two 3x3 convolutions, or 1x1, 3x3, 1x1
    depths: tuple[PositiveInt, ...] = (2, 2, 2, 2)  # blocks per stage
    width: PositiveInt = 64  # channels of the first stage; each later one has twice as many
    stem: StemName = "imagenet"  # small: 3x3 and no pooling, for images of 28 or 32 pixels
    init: InitializerName = "kaiming"  # how weights start


@final
class PreActBlock(nn.Module):
    """`shortcut(x) + f(a)` with `a = relu(norm(x))` and f = conv3, norm, relu, conv3.

    With `inner_channels` f is a bottleneck, conv1, norm, relu, conv3, norm, relu, conv1. The
    shortcut is x itself or, where the shape changes, a 1x1 convolution of a.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        inner_channels: int | None = None,
        stride: int = 1,
    ) -> None:
        super().__init__()
        inner = out_channels if inner_channels is None else inner_channels
        self.preactivation = _activation(in_channels)
        if inner_channels is None:
            self.residual = named(
                conv1=_conv(in_channels, inner, 3, stride),
                activation1=_activation(inner),
                conv2=_conv(inner, out_channels, 3),
            )
        else:
            self.residual = named(
                conv1=_conv(in_channels, inner, 1),
                activation1=_activation(inner),
                conv2=_conv(inner, inner, 3, stride),
                activation2=_activation(inner),
                conv3=_conv(inner, out_channels, 1),
            )
        same = stride == 1 and in_channels == out_channels
        self.projection = None if same else _conv(in_channels, out_channels, 1, stride)

    def forward(self, x: Batch) -> Maps:
        """The images, height and width divided by the stride and rounded up."""
        activated = self.preactivation(x)
        shortcut = x if self.projection is None else self.projection(activated)
        y: Maps = shortcut + self.residual(activated)
        return y


@final
class PreActResNet(nn.Module):
    """head(body(stem(x))); each stage but the first halves height and width.

    The stem has no norm and no ReLU, since the first block begins with them; the head begins
    with those of the last block's sum.
    """

    def __init__(self, config: PreActResNetConfig) -> None:
        super().__init__()
        expansion = 1 if config.block == "basic" else EXPANSION

        def block(in_channels: int, out_channels: int, stride: int) -> PreActBlock:
            inner = None if config.block == "basic" else out_channels // EXPANSION
            return PreActBlock(in_channels, out_channels, inner_channels=inner, stride=stride)

        widths = [config.width * 2**stage * expansion for stage in range(len(config.depths))]
        self.stem = conv_stem(
            config.in_channels, config.width, config.stem, norm=False, activation=False
        )
        self.body = block_stages(block, config.width, widths, config.depths)
        self.head = named(
            activation=_activation(widths[-1]),
            **dict(linear_head(widths[-1], config.num_classes).named_children()),
        )
        initialize(self, config.init)

    def forward(self, x: Batch) -> Logits:
        """The logits of a batch of images."""
        y: Tensor = self.head(self.body(self.stem(x)))
        return y


def _activation(channels: int) -> nn.Sequential:
    return named(norm=nn.BatchNorm2d(channels), relu=nn.ReLU(inplace=True))


def _conv(in_channels: int, out_channels: int, kernel_size: int, stride: int = 1) -> Conv2d:
    return Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        bias=False,
    )
