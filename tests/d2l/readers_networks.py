"""Networks as a reader of the book writes them: lazy layers in a `net`, Xavier in the constructor.

Each is in the manner of its section. What is said without arguments has fewer channels or blocks,
so that the tests are quick; the book's own sizes are arguments.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's own name for it

from convlens import d2l

WIDTH = 48  # of the linear layers that have 4096 in the book


class AlexNet(d2l.Classifier):
    """8.1."""

    def __init__(
        self,
        lr: float = 0.01,
        num_classes: int = 10,
        channels: Sequence[int] = (96, 64, 96, 96, 64),
        width: int = WIDTH,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(channels[0], kernel_size=11, stride=4, padding=1), nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.LazyConv2d(channels[1], kernel_size=5, padding=2), nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2),
            nn.LazyConv2d(channels[2], kernel_size=3, padding=1), nn.ReLU(),
            nn.LazyConv2d(channels[3], kernel_size=3, padding=1), nn.ReLU(),
            nn.LazyConv2d(channels[4], kernel_size=3, padding=1), nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2), nn.Flatten(),
            nn.LazyLinear(width), nn.ReLU(), nn.Dropout(p=0.5),
            nn.LazyLinear(width), nn.ReLU(), nn.Dropout(p=0.5),
            nn.LazyLinear(num_classes),
        )  # fmt: skip
        self.net.apply(d2l.init_cnn)


def vgg_block(num_convs: int, out_channels: int) -> nn.Sequential:
    """8.2: 3x3 convolutions and a halving."""
    layers: list[nn.Module] = []
    for _ in range(num_convs):
        layers += [nn.LazyConv2d(out_channels, kernel_size=3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(kernel_size=2, stride=2))


class VGG(d2l.Classifier):
    """8.2."""

    def __init__(
        self,
        arch: Sequence[tuple[int, int]] = ((1, 16), (1, 16), (2, 32), (2, 64), (2, 64)),
        lr: float = 0.1,
        num_classes: int = 10,
        width: int = WIDTH,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            *(vgg_block(*block) for block in arch),
            nn.Flatten(),
            nn.LazyLinear(width), nn.ReLU(), nn.Dropout(0.5),
            nn.LazyLinear(width), nn.ReLU(), nn.Dropout(0.5),
            nn.LazyLinear(num_classes),
        )  # fmt: skip
        self.net.apply(d2l.init_cnn)


def nin_block(out_channels: int, kernel_size: int, strides: int, padding: int) -> nn.Sequential:
    """8.3: a convolution and two of 1x1."""
    return nn.Sequential(
        nn.LazyConv2d(out_channels, kernel_size, strides, padding), nn.ReLU(),
        nn.LazyConv2d(out_channels, kernel_size=1), nn.ReLU(),
        nn.LazyConv2d(out_channels, kernel_size=1), nn.ReLU(),
    )  # fmt: skip


class NiN(d2l.Classifier):
    """8.3."""

    def __init__(
        self, lr: float = 0.1, num_classes: int = 10, channels: Sequence[int] = (96, 64, 64)
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nin_block(channels[0], kernel_size=11, strides=4, padding=0),
            nn.MaxPool2d(3, stride=2),
            nin_block(channels[1], kernel_size=5, strides=1, padding=2),
            nn.MaxPool2d(3, stride=2),
            nin_block(channels[2], kernel_size=3, strides=1, padding=1),
            nn.MaxPool2d(3, stride=2),
            nn.Dropout(0.5),
            nin_block(num_classes, kernel_size=3, strides=1, padding=1),
            nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
        )  # fmt: skip
        self.net.apply(d2l.init_cnn)


class Inception(nn.Module):
    """8.4: four branches, side by side."""

    def __init__(self, c1: int, c2: tuple[int, int], c3: tuple[int, int], c4: int) -> None:
        super().__init__()
        self.b1_1 = nn.LazyConv2d(c1, kernel_size=1)
        self.b2_1 = nn.LazyConv2d(c2[0], kernel_size=1)
        self.b2_2 = nn.LazyConv2d(c2[1], kernel_size=3, padding=1)
        self.b3_1 = nn.LazyConv2d(c3[0], kernel_size=1)
        self.b3_2 = nn.LazyConv2d(c3[1], kernel_size=5, padding=2)
        self.b4_1 = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        self.b4_2 = nn.LazyConv2d(c4, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        b1 = F.relu(self.b1_1(x))
        b2 = F.relu(self.b2_2(F.relu(self.b2_1(x))))
        b3 = F.relu(self.b3_2(F.relu(self.b3_1(x))))
        b4 = F.relu(self.b4_2(self.b4_1(x)))
        return torch.cat((b1, b2, b3, b4), dim=1)


class GoogleNet(d2l.Classifier):
    """8.4, its parts added from outside; `share` divides all channels."""

    share: int

    def b1(self) -> nn.Sequential:
        return nn.Sequential(
            nn.LazyConv2d(64, kernel_size=7, stride=2, padding=3), nn.ReLU(),
            nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        )  # fmt: skip


@d2l.add_to_class(GoogleNet)
def inceptions(
    self: GoogleNet, *blocks: tuple[int, tuple[int, int], tuple[int, int], int]
) -> list[nn.Module]:
    n = self.share
    return [
        Inception(c1 // n, (c2[0] // n, c2[1] // n), (c3[0] // n, c3[1] // n), c4 // n)
        for c1, c2, c3, c4 in blocks
    ]


@d2l.add_to_class(GoogleNet)
def b2(self: GoogleNet) -> nn.Sequential:
    return nn.Sequential(
        nn.LazyConv2d(64 // self.share, kernel_size=1), nn.ReLU(),
        nn.LazyConv2d(192 // self.share, kernel_size=3, padding=1), nn.ReLU(),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
    )  # fmt: skip


@d2l.add_to_class(GoogleNet)
def b3(self: GoogleNet) -> nn.Sequential:
    blocks = inceptions(self, (64, (96, 128), (16, 32), 32), (128, (128, 192), (32, 96), 64))
    return nn.Sequential(*blocks, nn.MaxPool2d(kernel_size=3, stride=2, padding=1))


@d2l.add_to_class(GoogleNet)
def b4(self: GoogleNet) -> nn.Sequential:
    blocks = inceptions(
        self,
        (192, (96, 208), (16, 48), 64),
        (160, (112, 224), (24, 64), 64),
        (128, (128, 256), (24, 64), 64),
        (112, (144, 288), (32, 64), 64),
        (256, (160, 320), (32, 128), 128),
    )
    return nn.Sequential(*blocks, nn.MaxPool2d(kernel_size=3, stride=2, padding=1))


@d2l.add_to_class(GoogleNet)
def b5(self: GoogleNet) -> nn.Sequential:
    blocks = inceptions(self, (256, (160, 320), (32, 128), 128), (384, (192, 384), (48, 128), 128))
    return nn.Sequential(*blocks, nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten())


@d2l.add_to_class(GoogleNet)
def __init__(  # noqa: N807 # pyright: ignore[reportRedeclaration]
    self: GoogleNet, lr: float = 0.1, num_classes: int = 10, share: int = 4
) -> None:
    super(GoogleNet, self).__init__()
    self.save_hyperparameters()
    self.net = nn.Sequential(
        self.b1(), b2(self), b3(self), b4(self), b5(self), nn.LazyLinear(num_classes)
    )
    self.net.apply(d2l.init_cnn)


def conv_block(num_channels: int) -> nn.Sequential:
    """8.7: norm, activation, convolution."""
    return nn.Sequential(
        nn.LazyBatchNorm2d(), nn.ReLU(), nn.LazyConv2d(num_channels, kernel_size=3, padding=1)
    )


class DenseBlock(nn.Module):
    """8.7: each convolution sees the outputs of all before."""

    def __init__(self, num_convs: int, num_channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(*(conv_block(num_channels) for _ in range(num_convs)))

    def forward(self, x: Tensor) -> Tensor:
        for block in self.net:
            x = torch.cat((x, block(x)), dim=1)
        return x


def transition_block(num_channels: int) -> nn.Sequential:
    """8.7: fewer channels, and half the height and width."""
    return nn.Sequential(
        nn.LazyBatchNorm2d(), nn.ReLU(), nn.LazyConv2d(num_channels, kernel_size=1),
        nn.AvgPool2d(kernel_size=2, stride=2),
    )  # fmt: skip


class DenseNet(d2l.Classifier):
    """8.7."""

    def b1(self) -> nn.Sequential:
        return nn.Sequential(
            nn.LazyConv2d(64, kernel_size=7, stride=2, padding=3),
            nn.LazyBatchNorm2d(), nn.ReLU(), nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        )  # fmt: skip

    def __init__(
        self,
        num_channels: int = 64,
        growth_rate: int = 16,
        arch: Sequence[int] = (2, 2),
        lr: float = 0.1,
        num_classes: int = 10,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(self.b1())
        for i, num_convs in enumerate(arch):
            self.net.add_module(f"dense_blk{i + 1}", DenseBlock(num_convs, growth_rate))
            num_channels += num_convs * growth_rate
            if i != len(arch) - 1:
                num_channels //= 2
                self.net.add_module(f"tran_blk{i + 1}", transition_block(num_channels))
        last = nn.Sequential(
            nn.LazyBatchNorm2d(), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(),
            nn.LazyLinear(num_classes),
        )  # fmt: skip
        self.net.add_module("last", last)
        self.net.apply(d2l.init_cnn)


class ResNet(d2l.Classifier):
    """8.6, by the package's Residual."""

    def __init__(
        self,
        arch: Sequence[tuple[int, int]] = ((2, 64), (2, 128), (2, 256), (2, 512)),
        lr: float = 0.01,
    ) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.Sequential(
                nn.LazyConv2d(64, kernel_size=7, stride=2, padding=3),
                nn.LazyBatchNorm2d(), nn.ReLU(),
                nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            )
        )  # fmt: skip
        for index, (num_residuals, num_channels) in enumerate(arch):
            blocks = [
                d2l.Residual(num_channels, use_1x1conv=True, strides=2)
                if block == 0 and index > 0
                else d2l.Residual(num_channels)
                for block in range(num_residuals)
            ]
            self.net.add_module(f"b{index + 2}", nn.Sequential(*blocks))
        last = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LazyLinear(10))
        self.net.add_module("last", last)
        self.net.apply(d2l.init_cnn)


class AnyNet(d2l.Classifier):
    """8.8: a stem, stages of ResNeXt blocks (depth, channels, groups, bottleneck), a head."""

    def stem(self, num_channels: int) -> nn.Sequential:
        return nn.Sequential(
            nn.LazyConv2d(num_channels, kernel_size=3, stride=2, padding=1),
            nn.LazyBatchNorm2d(), nn.ReLU(),
        )  # fmt: skip


@d2l.add_to_class(AnyNet)
def stage(
    self: AnyNet, depth: int, num_channels: int, groups: int, bot_mul: float
) -> nn.Sequential:
    blocks = [
        d2l.ResNeXtBlock(num_channels, groups, bot_mul, use_1x1conv=True, strides=2)
        if i == 0
        else d2l.ResNeXtBlock(num_channels, groups, bot_mul)
        for i in range(depth)
    ]
    return nn.Sequential(*blocks)


@d2l.add_to_class(AnyNet)
def __init__(  # noqa: F811, N807
    self: AnyNet,
    arch: Sequence[tuple[int, int, int, float]],
    stem_channels: int,
    lr: float = 0.1,
    num_classes: int = 10,
) -> None:
    super(AnyNet, self).__init__()
    self.save_hyperparameters()
    self.net = nn.Sequential(self.stem(stem_channels))
    for i, one in enumerate(arch):
        self.net.add_module(f"stage{i + 1}", stage(self, *one))
    head = nn.Sequential(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LazyLinear(num_classes))
    self.net.add_module("head", head)
    self.net.apply(d2l.init_cnn)


class RegNetX32(AnyNet):
    """8.8: two stages of widths 32 and 80, in groups of 16 channels."""

    def __init__(
        self, lr: float = 0.05, num_classes: int = 10, depths: tuple[int, int] = (1, 2)
    ) -> None:
        stages = [(depths[0], 32, 16, 1.0), (depths[1], 80, 16, 1.0)]
        super().__init__(stages, 32, lr, num_classes)  # pyright: ignore[reportCallIssue]


class ScratchNorm(nn.Module):
    """8.5: batch norm by its formula, its statistics kept as plain attributes."""

    def __init__(self, num_features: int, num_dims: int) -> None:
        super().__init__()
        shape = (1, num_features) if num_dims == 2 else (1, num_features, 1, 1)
        self.gamma = nn.Parameter(torch.ones(shape))
        self.beta = nn.Parameter(torch.zeros(shape))
        self.moving_mean, self.moving_var = torch.zeros(shape), torch.ones(shape)

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803
        if not torch.is_grad_enabled():
            X_hat = (X - self.moving_mean) / torch.sqrt(self.moving_var + 1e-5)
            return self.gamma * X_hat + self.beta
        axes = (0,) if X.ndim == 2 else (0, 2, 3)
        mean = X.mean(axes, keepdim=True)
        var = ((X - mean) ** 2).mean(axes, keepdim=True)
        self.moving_mean = (0.9 * self.moving_mean + 0.1 * mean).data
        self.moving_var = (0.9 * self.moving_var + 0.1 * var).data
        return self.gamma * (X - mean) / torch.sqrt(var + 1e-5) + self.beta


class BNLeNetScratch(d2l.Classifier):
    """8.5."""

    def __init__(self, lr: float = 0.1, num_classes: int = 10) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(6, kernel_size=5), ScratchNorm(6, num_dims=4),
            nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
            nn.LazyConv2d(16, kernel_size=5), ScratchNorm(16, num_dims=4),
            nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
            nn.Flatten(), nn.LazyLinear(120), ScratchNorm(120, num_dims=2),
            nn.Sigmoid(), nn.LazyLinear(84), ScratchNorm(84, num_dims=2),
            nn.Sigmoid(), nn.LazyLinear(num_classes),
        )  # fmt: skip


class BNLeNet(d2l.Classifier):
    """8.5, with torch's own norms."""

    def __init__(self, lr: float = 0.1, num_classes: int = 10) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(6, kernel_size=5), nn.LazyBatchNorm2d(),
            nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
            nn.LazyConv2d(16, kernel_size=5), nn.LazyBatchNorm2d(),
            nn.Sigmoid(), nn.AvgPool2d(kernel_size=2, stride=2),
            nn.Flatten(), nn.LazyLinear(120), nn.LazyBatchNorm1d(),
            nn.Sigmoid(), nn.LazyLinear(84), nn.LazyBatchNorm1d(),
            nn.Sigmoid(), nn.LazyLinear(num_classes),
        )  # fmt: skip


class ModernLeNet(d2l.Classifier):
    """7.6, its first exercise: ReLU and max pooling."""

    def __init__(self, lr: float = 0.1, num_classes: int = 10) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(6, kernel_size=5, padding=2), nn.ReLU(),
            nn.MaxPool2d(kernel_size=2, stride=2),
            nn.LazyConv2d(16, kernel_size=5), nn.ReLU(),
            nn.MaxPool2d(kernel_size=2, stride=2),
            nn.Flatten(),
            nn.LazyLinear(120), nn.ReLU(), nn.LazyLinear(84), nn.ReLU(),
            nn.LazyLinear(num_classes),
        )  # fmt: skip
