"""Heads: from the last feature maps to logits.

Source: Lin, Chen and Yan (2013), https://arxiv.org/abs/1312.4400, section 3.2 (global average
pooling); Krizhevsky, Sutskever and Hinton (2012), https://papers.nips.cc/paper/4824, section 3.5
and 4.2 (two hidden layers with dropout).
"""

from torch import nn

from convlens.nn.pool import AdaptiveAvgPool2d, GlobalAvgPool2d
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


def hidden_head(
    channels: int,
    side: int,
    num_classes: int,
    *,
    hidden: int,
    dropout: float,
    pool_size: int = 0,
    dropout_after: bool = True,
) -> nn.Sequential:
    """Two hidden linear layers with ReLU and dropout, and a third for the logits.

    >>> head = hidden_head(256, 5, 10, hidden=4096, dropout=0.5)
    >>> head.linear1
    Linear(in_features=6400, out_features=4096, bias=True)

    Args:
        channels: of the feature maps.
        side: height and width of the feature maps.
        pool_size: pool the maps to this height and width first; 0: do not.
        dropout_after: whether it follows each hidden layer, or comes before it.
    """
    parts: dict[str, nn.Module] = {}
    if pool_size:
        parts["pool"] = AdaptiveAvgPool2d(pool_size)
    parts["flatten"] = nn.Flatten()
    features = channels * (pool_size or side) ** 2
    for index in (1, 2):
        if not dropout_after:
            parts[f"dropout{index}"] = nn.Dropout(dropout)
        parts[f"linear{index}"] = nn.Linear(features, hidden)
        parts[f"relu{index}"] = nn.ReLU(inplace=True)
        if dropout_after:
            parts[f"dropout{index}"] = nn.Dropout(dropout)
        features = hidden
    parts["linear3"] = nn.Linear(features, num_classes)
    return named(**parts)
