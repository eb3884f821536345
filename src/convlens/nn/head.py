"""Heads: from the last feature maps to logits.

Source: Lin, Chen and Yan (2013), https://arxiv.org/abs/1312.4400, section 3.2 (global average
pooling).
"""

from torch import nn

from convlens.nn.pool import GlobalAvgPool2d
from convlens.nn.unit import named


def linear_head(in_channels: int, num_classes: int, *, dropout: float = 0.0) -> nn.Sequential:
    """The mean of each channel, then one linear layer: any image size will do.

    >>> list(dict(linear_head(512, 10).named_children()))
    ['pool', 'flatten', 'linear']
    """
    parts: dict[str, nn.Module] = {"pool": GlobalAvgPool2d(), "flatten": nn.Flatten()}
    if dropout:
        parts["dropout"] = nn.Dropout(dropout)
    parts["linear"] = nn.Linear(in_channels, num_classes)
    return named(**parts)
