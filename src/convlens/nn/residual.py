"""Residual: the sum of what a block adds and what it leaves as it was.

Source: He et al. (2015), https://arxiv.org/abs/1512.03385, Figure 2 and equation 2.
"""

from torch import nn

from convlens.core.shapes import Batch, Maps
from convlens.nn.unit import conv_unit


class ResidualSum(nn.Module):
    """`relu(residual(x) + shortcut(x))`; what the residual blocks of all papers have in common.

    Abstract: a block derives from it and says what `residual` and `shortcut` are.
    """

    def __init__(self, residual: nn.Sequential, shortcut: nn.Module) -> None:
        super().__init__()
        self.residual = residual
        self.shortcut = shortcut
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Batch) -> Maps:
        """The images, height and width divided by the stride and rounded up."""
        y: Maps = self.activation(self.residual(x) + self.shortcut(x))
        return y


def projection(
    in_channels: int, out_channels: int, stride: int, *, bias: bool = False, norm: bool = True
) -> nn.Module:
    """The shortcut: x itself where the shapes are equal, else a 1x1 convolution (option B).

    >>> projection(64, 64, 1)
    Identity()
    """
    if stride == 1 and in_channels == out_channels:
        return nn.Identity()
    return conv_unit(
        in_channels, out_channels, 1, stride=stride, bias=bias, norm=norm, activation=False
    )


def zero_last_norms(module: nn.Module) -> None:
    """Start each residual block of `module` as the identity: its last norm multiplies by zero.

    Source: Goyal et al. (2017), https://arxiv.org/abs/1706.02677, section 5.1.
    """
    for block in module.modules():
        if isinstance(block, ResidualSum):
            norms = [part for part in block.residual.modules() if isinstance(part, nn.BatchNorm2d)]
            nn.init.zeros_(norms[-1].weight)
