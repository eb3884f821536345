"""Two images in one, and two labels: mixup blends them, cutmix pastes a part of one into the other.

The label of the result is the share that each image has in it.

Source: Zhang et al. (2017), https://arxiv.org/abs/1710.09412, equation 2 (mixup);
Yun et al. (2019), https://arxiv.org/abs/1905.04899, section 3.1 (cutmix).
Differs from them: in cutmix the rectangle lies inside the image, with the shape of the image.
"""

import math

import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from jaxtyping import Int64
from torch import Tensor

from convlens.core.shapes import Batch, Labels, SoftLabels


def soft(labels: Labels, num_classes: int) -> SoftLabels:
    """All of each image to its own class.

    >>> import torch
    >>> soft(torch.tensor([1]), 3)
    tensor([[0., 1., 0.]])
    """
    return F.one_hot(labels, num_classes).float()


def mixup(
    x: Batch, labels: SoftLabels, partner: Int64[Tensor, "n"], share: float
) -> tuple[Batch, SoftLabels]:
    """`share * x + (1 - share) * x[partner]`, and the labels likewise."""
    return x.lerp(x[partner], 1 - share), labels.lerp(labels[partner], 1 - share)


def cutmix(
    x: Batch,
    labels: SoftLabels,
    partner: Int64[Tensor, "n"],
    share: float,
    place: tuple[float, float],
) -> tuple[Batch, SoftLabels]:
    """`x` but for a rectangle of `x[partner]` that covers `1 - share` of it, to whole pixels.

    The labels have the shares that the pixels have. `place`, from 0 to below 1, is how far down
    and right among all its places the rectangle lies.
    """
    height, width = x.shape[2:]
    side = math.sqrt(1 - share)
    high, wide = round(height * side), round(width * side)
    top, left = int(place[0] * (height - high + 1)), int(place[1] * (width - wide + 1))
    rows, cols = slice(top, top + high), slice(left, left + wide)
    pasted = x.clone()
    pasted[:, :, rows, cols] = x[partner][:, :, rows, cols]
    return pasted, labels.lerp(labels[partner], high * wide / (height * width))
