"""The unit that networks since batch norm are built of: convolution, norm, activation.

Source: Ioffe and Szegedy (2015), https://arxiv.org/abs/1502.03167, section 3.2 (a convolution
before batch norm needs no bias: the norm takes the mean away).
"""

from collections import OrderedDict

from torch import nn

from convlens.nn.conv import Conv2d


def named(**parts: nn.Module) -> nn.Sequential:
    """The parts one after another, each under its name.

    >>> named(flatten=nn.Flatten()).flatten
    Flatten(start_dim=1, end_dim=-1)
    """
    return nn.Sequential(OrderedDict(parts))


def conv_unit(  # noqa: PLR0913 - the settings of three layers
    in_channels: int,
    out_channels: int,
    kernel_size: int,
    *,
    stride: int = 1,
    groups: int = 1,
    bias: bool = False,
    norm: bool = True,
    activation: bool = True,
    eps: float = 1e-5,
) -> nn.Sequential:
    """`relu(norm(conv(x)))` with children `conv`, `norm`, `activation`, those that are wanted.

    The padding is half the kernel, so that an odd kernel keeps height and width at stride 1.
    `eps` is what the norm adds to a variance.

    >>> list(dict(conv_unit(3, 8, 3, activation=False).named_children()))
    ['conv', 'norm']
    """
    conv = Conv2d(
        in_channels,
        out_channels,
        kernel_size,
        stride=stride,
        padding=kernel_size // 2,
        groups=groups,
        bias=bias,
    )
    unit: dict[str, nn.Module] = {"conv": conv}
    if norm:
        unit["norm"] = nn.BatchNorm2d(out_channels, eps=eps)
    if activation:
        unit["activation"] = nn.ReLU(inplace=True)
    return named(**unit)
