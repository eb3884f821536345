"""GoogLeNet: look with windows of several sizes at once and keep all that they see.

Source: Szegedy et al. (2014), https://arxiv.org/abs/1409.4842, Table 1 and section 5; d2l 8.4.
Differs from the paper, as torchvision does: batch norm instead of local response normalisation,
a third branch of 3x3 windows where the paper's are 5x5 (`wide_kernel`), auxiliary classifiers that
average to 4x4 whatever the size, dropout 0.2. With `batch_norm=False, pools="padded",
wide_kernel=5, dropout=0.0` it is d2l's.
"""

from dataclasses import dataclass
from typing import Literal, final

import torch
from jaxtyping import Float
from pydantic import PositiveInt
from torch import Tensor, nn

from convlens.core.config import Fraction
from convlens.core.errors import ConfigError, ShapeError
from convlens.core.shapes import Batch, Logits
from convlens.nn.auxiliary import AuxiliaryLogits
from convlens.nn.head import linear_head
from convlens.nn.init import InitializerName, initialize
from convlens.nn.pool import AdaptiveAvgPool2d, MaxPool2d
from convlens.nn.stem import StemName
from convlens.nn.unit import conv_unit, named
from convlens.ops.geometry import PoolGeometry
from convlens.ops.window import Window

Widths = tuple[int, tuple[int, int], tuple[int, int], int]  # of the four branches

BLOCKS: dict[str, dict[str, Widths]] = {  # by the paper's name of each block
    "stage2": {
        "3a": (64, (96, 128), (16, 32), 32),
        "3b": (128, (128, 192), (32, 96), 64),
    },
    "stage3": {
        "4a": (192, (96, 208), (16, 48), 64),
        "4b": (160, (112, 224), (24, 64), 64),
        "4c": (128, (128, 256), (24, 64), 64),
        "4d": (112, (144, 288), (32, 64), 64),
        "4e": (256, (160, 320), (32, 128), 128),
    },
    "stage4": {
        "5a": (256, (160, 320), (32, 128), 128),
        "5b": (384, (192, 384), (48, 128), 128),
    },
}
AUXILIARY = {"4a": "aux1", "4d": "aux2"}  # which blocks have a classifier, and its name
AUXILIARY_DROPOUT = 0.7
EPS = 1e-3  # of the norms, as the published weights were trained

# torchvision's input is normalised by the mean and deviation of ImageNet's channels; the weights
# it publishes were trained on pixels brought from [0, 1] to [-1, 1].
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@dataclass(frozen=True, kw_only=True, slots=True)
class GoogLeNetConfig:
    """torchvision's GoogLeNet for ImageNet by default."""

    in_channels: PositiveInt = 3
    num_classes: PositiveInt = 1000
    image_size: PositiveInt = 224  # height and width of the input, pixels; at least 15 by default
    batch_norm: bool = True  # a norm after each convolution, which then has no bias
    pools: Literal["ceil", "padded"] = "ceil"  # how those that halve meet the edge: a last window
    # hangs over it, and the last pool is 2x2; or all are 3x3 and padded by 1
    wide_kernel: Literal[3, 5] = 3  # height and width of the third branch's windows
    dropout: Fraction = 0.2  # before the last layer
    aux: bool = False  # two more classifiers, on blocks 4a and 4d, in training only
    transform_input: bool = False  # take images normalised for torchvision's published weights
    stem: StemName = "imagenet"  # small: 3x3 and no pooling, for images of 28 or 32 pixels
    init: InitializerName = "kaiming"  # how weights start

    def __post_init__(self) -> None:
        if self.transform_input and self.in_channels != len(MEAN):
            raise ConfigError("model.transform_input: needs model.in_channels=3")


@final
class InceptionBlock(nn.Module):
    """`concat(conv1(x), conv3(conv1(x)), wide(conv1(x)), conv1(pool3(x)))`, along the channels.

    The widths are the channels of each branch, with those of its first convolution before them
    where it has two. `wide` is the convolution of `wide_kernel`.
    """

    def __init__(
        self,
        in_channels: int,
        widths: Widths,
        *,
        wide_kernel: int = 3,
        batch_norm: bool = True,
    ) -> None:
        super().__init__()
        width1, width2, width3, width4 = widths
        self.out_channels = width1 + width2[1] + width3[1] + width4
        self.branch1 = _unit(in_channels, width1, 1, batch_norm)
        self.branch2 = named(
            unit1=_unit(in_channels, width2[0], 1, batch_norm),
            unit2=_unit(*width2, 3, batch_norm),
        )
        self.branch3 = named(
            unit1=_unit(in_channels, width3[0], 1, batch_norm),
            unit2=_unit(*width3, wide_kernel, batch_norm),
        )
        self.branch4 = named(
            pool=MaxPool2d(3, stride=1, padding=1),
            unit=_unit(in_channels, width4, 1, batch_norm),
        )

    def forward(self, x: Batch) -> Float[Tensor, "n o h w"]:
        """The images, height and width kept, with `out_channels` channels."""
        branches = (self.branch1, self.branch2, self.branch3, self.branch4)
        return torch.cat([branch(x) for branch in branches], dim=1)


@final
class ImageNetToUnit(nn.Module):
    """`(x * std + mean - 0.5) / 0.5`: images normalised for ImageNet, brought to [-1, 1]."""

    def forward(self, x: Batch) -> Batch:
        """The images, channel by channel, on the other scale."""
        channels = zip(x.unbind(1), MEAN, STD, strict=True)
        return torch.stack([c * (std / 0.5) + (mean - 0.5) / 0.5 for c, mean, std in channels], 1)


def auxiliary_head(in_channels: int, num_classes: int, *, batch_norm: bool = True) -> nn.Sequential:
    """A classifier for the middle of a network: means of 4x4 parts, conv1, two linear layers.

    >>> auxiliary_head(512, 10).linear1
    Linear(in_features=2048, out_features=1024, bias=True)
    """
    return named(
        pool=AdaptiveAvgPool2d(4),
        unit=_unit(in_channels, 128, 1, batch_norm),
        flatten=nn.Flatten(),
        linear1=nn.Linear(128 * 4 * 4, 1024),
        activation=nn.ReLU(inplace=True),
        dropout=nn.Dropout(AUXILIARY_DROPOUT),
        linear2=nn.Linear(1024, num_classes),
    )


@final
class GoogLeNet(nn.Module):
    """head(body(stem(x))); the first stage has plain convolutions, the others inception blocks.

    Raises:
        ShapeError: the images are too small.
    """

    def __init__(self, config: GoogLeNetConfig) -> None:
        super().__init__()
        _refuse_small_images(config)
        norm = config.batch_norm
        self.stem = _stem(config)
        stages: dict[str, nn.Module] = {
            "stage1": named(
                unit1=_unit(64, 64, 1, norm), unit2=_unit(64, 192, 3, norm), pool=_pool(config)
            )
        }
        self.auxiliary = nn.ModuleDict()
        channels = 192
        for stage, blocks in BLOCKS.items():
            parts: dict[str, nn.Module] = {}
            for name, widths in blocks.items():
                block = InceptionBlock(
                    channels, widths, wide_kernel=config.wide_kernel, batch_norm=norm
                )
                parts[f"inception{name}"] = block
                channels = block.out_channels
                if config.aux and name in AUXILIARY:
                    head = auxiliary_head(channels, config.num_classes, batch_norm=norm)
                    self.auxiliary[f"inception{name}"] = head
            if stage == "stage2":
                parts["pool"] = _pool(config)
            elif stage == "stage3":
                parts["pool"] = _pool(config, last=True)
            stages[stage] = named(**parts)
        self.body = named(**stages)
        self.head = linear_head(channels, config.num_classes, dropout=config.dropout)
        initialize(self, config.init)

    def forward(self, x: Batch) -> Logits | AuxiliaryLogits:
        """The logits of a batch of images; in training mode with the auxiliary ones, if any."""
        x = self.stem(x)
        if not (self.training and self.auxiliary):
            return self.head(self.body(x))
        auxiliary: list[Tensor] = []
        for stage in self.body.children():
            for name, block in stage.named_children():
                x = block(x)
                if name in self.auxiliary:
                    auxiliary.append(self.auxiliary[name](x))
        return AuxiliaryLogits(self.head(x), tuple(auxiliary))


def torchvision_names(config: GoogLeNetConfig) -> dict[str, str]:
    """The path here of each module with weights, by its path in torchvision's GoogLeNet."""
    units = {"conv1": "stem", "conv2": "body.stage1.unit1", "conv3": "body.stage1.unit2"}
    names = {"fc": "head.linear"}
    for stage, blocks in BLOCKS.items():
        for name in blocks:
            theirs, ours = f"inception{name}", f"body.{stage}.inception{name}"
            units[f"{theirs}.branch1"] = f"{ours}.branch1"
            for branch in ("branch2", "branch3"):
                units[f"{theirs}.{branch}.0"] = f"{ours}.{branch}.unit1"
                units[f"{theirs}.{branch}.1"] = f"{ours}.{branch}.unit2"
            units[f"{theirs}.branch4.1"] = f"{ours}.branch4.unit"
            if config.aux and name in AUXILIARY:
                theirs, ours = AUXILIARY[name], f"auxiliary.inception{name}"
                units[f"{theirs}.conv"] = f"{ours}.unit"
                names[f"{theirs}.fc1"] = f"{ours}.linear1"
                names[f"{theirs}.fc2"] = f"{ours}.linear2"
    for theirs, ours in units.items():
        names[f"{theirs}.conv"] = f"{ours}.conv"
        if config.batch_norm:
            names[f"{theirs}.bn"] = f"{ours}.norm"
    return names


def _unit(
    in_channels: int, out_channels: int, kernel_size: int, norm: bool, *, stride: int = 1
) -> nn.Sequential:
    return conv_unit(
        in_channels, out_channels, kernel_size, stride=stride, bias=not norm, norm=norm, eps=EPS
    )


def _pool(config: GoogLeNetConfig, *, last: bool = False) -> MaxPool2d:
    if config.pools == "padded":
        return MaxPool2d(3, stride=2, padding=1)
    return MaxPool2d(2 if last else 3, stride=2, ceil_mode=True)


def _stem(config: GoogLeNetConfig) -> nn.Sequential:
    small = config.stem == "small"
    unit = _unit(
        config.in_channels, 64, 3 if small else 7, config.batch_norm, stride=1 if small else 2
    )
    transform = {"transform": ImageNetToUnit()} if config.transform_input else {}
    pool = {} if small else {"pool": _pool(config)}
    return named(**transform, **dict(unit.named_children()), **pool)


def _refuse_small_images(config: GoogLeNetConfig) -> None:
    small, side = config.stem == "small", config.image_size
    pools = [_pool(config), _pool(config), _pool(config, last=True)]
    if not small:
        side = Window(7, stride=2, padding=3).output_size(side)
        pools.insert(0, _pool(config))
    try:
        for pool in pools:
            geometry = PoolGeometry.of(
                pool.kernel_size, stride=pool.stride, padding=pool.padding, ceil_mode=pool.ceil_mode
            )
            side, _ = geometry.output_size(side, side)
    except ShapeError as error:
        raise ShapeError(
            f"images of {config.image_size} pixels are too small for GoogLeNet: {error.what}",
            fix="use larger images, or set model.stem=small or model.pools=padded",
        ) from None
