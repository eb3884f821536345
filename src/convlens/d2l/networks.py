"""The book's layers and networks, by its names and with its attributes.

Source: d2l 7.2 (corr2d), 7.6 (LeNet, init_cnn), 8.6 (Residual, ResNeXtBlock), 13.1 (resnet18),
https://d2l.ai/chapter_convolutional-modern/resnet.html.
Differs from convlens.models: layers are lazy and named as in the book, blocks take what the book's
take (`groups` of ResNeXtBlock is the channels of a group, not their number).
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the field's own name for it

from convlens.core.errors import ConfigError
from convlens.d2l.module import Classifier
from convlens.nn.init import start_when_real
from convlens.ops.plain import correlate


def corr2d(X: Tensor, K: Tensor) -> Tensor:  # noqa: N803 - the book's names
    """`Y[i,j] = sum over a, b of K[a,b] X[i+a,j+b]`, as float32.

    >>> import torch
    >>> corr2d(torch.arange(9.0).reshape(3, 3), torch.arange(4.0).reshape(2, 2))
    tensor([[19., 25.],
            [37., 43.]])
    """
    return correlate(X.float(), K.float())


def init_cnn(module: nn.Module) -> None:
    """Start the weights of a convolution or linear layer by Xavier's rule; other parts stay.

    It is for `apply`. A lazy layer, which has no weights yet, is started when it gets them.
    """
    if isinstance(module, nn.Linear | nn.Conv2d):
        start_when_real(module, _xavier)


def _xavier(layer: Any) -> None:
    nn.init.xavier_uniform_(layer.weight)


class LeNet(Classifier):
    """The network of 7.6: two convolutions with sigmoid and average pooling, three linear layers.

    Open to subclasses, as the book's is.
    """

    def __init__(self, lr: float | int = 0.1, num_classes: int = 10) -> None:
        super().__init__()
        self.save_hyperparameters()
        self.net = nn.Sequential(
            nn.LazyConv2d(6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2, stride=2),
            nn.LazyConv2d(16, 5), nn.Sigmoid(), nn.AvgPool2d(2, stride=2), nn.Flatten(),
            nn.LazyLinear(120), nn.Sigmoid(), nn.LazyLinear(84), nn.Sigmoid(),
            nn.LazyLinear(num_classes),
        )  # fmt: skip
        self.apply(init_cnn)


class Residual(nn.Module):
    """`relu(bn2(conv2(relu(bn1(conv1(X))))) + shortcut(X))`; open to subclasses.

    The shortcut is X, or `conv3`, without a norm, if a 1x1 convolution is wanted.
    """

    def __init__(self, num_channels: int, use_1x1conv: bool = False, strides: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.LazyConv2d(num_channels, kernel_size=3, padding=1, stride=strides)
        self.conv2 = nn.LazyConv2d(num_channels, kernel_size=3, padding=1)
        self.conv3 = nn.LazyConv2d(num_channels, 1, stride=strides) if use_1x1conv else None
        self.bn1, self.bn2 = nn.LazyBatchNorm2d(), nn.LazyBatchNorm2d()

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803 - the book's name
        """The images, height and width divided by the stride and rounded up."""
        inner = F.relu(self.bn1(self.conv1(X)))
        shortcut = X if self.conv3 is None else self.conv3(X)
        return F.relu(self.bn2(self.conv2(inner)) + shortcut)


class ResNeXtBlock(nn.Module):
    """`relu(f(X) + shortcut(X))`, f = conv1x1, grouped conv3x3, conv1x1; open to subclasses.

    Raises:
        ConfigError: the inner channels do not divide into groups of `groups` channels.
    """

    def __init__(
        self,
        num_channels: int,
        groups: int,
        bot_mul: float | int,
        use_1x1conv: bool = False,
        strides: int = 1,
    ) -> None:
        super().__init__()
        inner = round(num_channels * bot_mul)
        if inner % groups:
            raise ConfigError(
                f"groups: {inner} inner channels cannot be cut into groups of {groups} channels",
                fix="in the book's ResNeXtBlock, groups is the width of a group",
            )
        self.conv1 = nn.LazyConv2d(inner, kernel_size=1)
        self.conv2 = nn.LazyConv2d(
            inner, kernel_size=3, stride=strides, padding=1, groups=inner // groups
        )
        self.conv3 = nn.LazyConv2d(num_channels, kernel_size=1)
        self.bn1, self.bn2, self.bn3 = (nn.LazyBatchNorm2d() for _ in range(3))
        self.conv4 = nn.LazyConv2d(num_channels, 1, stride=strides) if use_1x1conv else None
        self.bn4 = nn.LazyBatchNorm2d() if use_1x1conv else None

    def forward(self, X: Tensor) -> Tensor:  # noqa: N803 - the book's name
        """The images, height and width divided by the stride and rounded up."""
        inner = F.relu(self.bn1(self.conv1(X)))
        inner = F.relu(self.bn2(self.conv2(inner)))
        has_conv = self.conv4 is not None and self.bn4 is not None
        shortcut = self.bn4(self.conv4(X)) if has_conv else X  # pyright: ignore[reportOptionalCall]
        return F.relu(self.bn3(self.conv3(inner)) + shortcut)


def resnet18(num_classes: int, in_channels: int = 1) -> nn.Sequential:
    """A ResNet-18 for small images: 3x3 stem, four stages of two `Residual`, a linear layer.

    >>> import torch
    >>> resnet18(10)(torch.zeros(1, 1, 32, 32)).shape
    torch.Size([1, 10])
    """
    net = nn.Sequential(
        nn.Conv2d(in_channels, 64, 3, padding=1), nn.BatchNorm2d(64), nn.ReLU()
    )  # fmt: skip
    for stage, channels in enumerate((64, 128, 256, 512), start=1):
        halved = stage > 1
        first = Residual(channels, use_1x1conv=halved, strides=2 if halved else 1)
        net.add_module(f"resnet_block{stage}", nn.Sequential(first, Residual(channels)))
    net.add_module("global_avg_pool", nn.AdaptiveAvgPool2d((1, 1)))
    net.add_module("fc", nn.Sequential(nn.Flatten(), nn.Linear(512, num_classes)))
    return net
