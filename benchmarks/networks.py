"""The networks of the benchmarks as one writes them without ConvLens, by `torch.nn` alone.

Source: d2l 7.6, 8.2 and 8.6. Nothing of ConvLens is imported, since peers import this too. The
parameters come in the order of ConvLens' own networks, so that both can start from one list.
"""

from collections.abc import Callable
from typing import final

from torch import Tensor, nn


def lenet(*, modern: bool = False) -> nn.Sequential:
    """LeNet: sigmoid and average pooling, or, if `modern`, ReLU and max-pooling."""
    activation = nn.ReLU if modern else nn.Sigmoid
    pool = nn.MaxPool2d if modern else nn.AvgPool2d
    return nn.Sequential(
        nn.Conv2d(1, 6, 5, padding=2), activation(), pool(2, 2),
        nn.Conv2d(6, 16, 5), activation(), pool(2, 2),
        nn.Flatten(),
        nn.Linear(400, 120), activation(),
        nn.Linear(120, 84), activation(),
        nn.Linear(84, 10),
    )  # fmt: skip


def lenet_modern() -> nn.Sequential:
    """LeNet with ReLU and max-pooling."""
    return lenet(modern=True)


def vgg11_slim() -> nn.Sequential:
    """The book's VGG-11 of a quarter of the channels, for images of 224x224."""
    layers: list[nn.Module] = []
    in_channels = 1
    for num_convs, channels in ((1, 16), (1, 32), (2, 64), (2, 128), (2, 128)):
        for _ in range(num_convs):
            layers += [nn.Conv2d(in_channels, channels, 3, padding=1), nn.ReLU()]
            in_channels = channels
        layers.append(nn.MaxPool2d(2, 2))
    return nn.Sequential(
        *layers,
        nn.Flatten(),
        nn.Linear(128 * 7 * 7, 4096), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5),
        nn.Linear(4096, 10),
    )  # fmt: skip


@final
class Residual(nn.Module):
    """`relu(f(x) + shortcut(x))`, the book's block: no norm in the shortcut."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride=stride, padding=1)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.norm2 = nn.BatchNorm2d(channels)
        self.conv3: nn.Module = nn.Identity()
        if stride != 1 or in_channels != channels:
            self.conv3 = nn.Conv2d(in_channels, channels, 1, stride=stride)
        self.relu = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """The block's maps."""
        y = self.norm2(self.conv2(self.relu(self.norm1(self.conv1(x)))))
        summed: Tensor = self.relu(y + self.conv3(x))
        return summed


def resnet18() -> nn.Sequential:
    """The book's ResNet-18."""
    blocks: list[nn.Module] = []
    in_channels = 64
    for stage, channels in enumerate((64, 128, 256, 512)):
        for index in range(2):
            blocks.append(Residual(in_channels, channels, 2 if stage and not index else 1))
            in_channels = channels
    return nn.Sequential(
        nn.Conv2d(1, 64, 7, stride=2, padding=3), nn.BatchNorm2d(64), nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        *blocks,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10),
    )  # fmt: skip


def xavier(module: nn.Module) -> None:
    """Start the weights of a layer as the book does; for `Module.apply`."""
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.xavier_uniform_(module.weight)


NETWORKS: dict[str, Callable[[], nn.Sequential]] = {  # by the recipe that trains the same
    "lenet": lenet,
    "lenet-modern": lenet_modern,
    "resnet18-d2l": resnet18,
    "vgg11-slim": vgg11_slim,
}
