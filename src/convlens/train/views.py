"""Test-time averaging: the mean of what a model makes of several views of an image.

It costs as many evaluations as there are views, and it is not the accuracy of the model alone:
both are reported, each under its own name.

Source: Jordan (2024), https://arxiv.org/abs/2404.00498, listing 4 and section 3.5.
Differs from it: views may be left to the images of which the model is least sure.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from jaxtyping import Int64
from torch import Tensor, nn

from convlens.core.names import Table
from convlens.core.shapes import Batch, Logits
from convlens.data.batches import Batches
from convlens.train.evaluate import evaluating


@dataclass(frozen=True, slots=True)
class View:
    """A way to look at images, and how much its logits count."""

    weight: float
    look: Callable[[Batch], Batch]


def mirrored(x: Batch) -> Batch:
    """Left and right exchanged."""
    return x.flip(3)


def moved(x: Batch, by: int) -> Batch:
    """`by` pixels down and to the right; what comes in is the image reflected at its edge."""
    far = abs(by)
    height, width = x.shape[2:]
    padded = F.pad(x, (far, far, far, far), mode="reflect")
    return padded[:, :, far - by : far - by + height, far - by : far - by + width]


def _moved_views(by: int) -> tuple[View, View]:
    return View(1 / 8, lambda x: moved(x, by)), View(1 / 8, lambda x: mirrored(moved(x, by)))


# What is averaged beside the image as it is, whose weight is what is left of 1.
VIEWS: Table[Sequence[View]] = Table(
    "kind of test-time averaging",
    ("mirror", (View(1 / 2, mirrored),)),
    ("mirror-shift", (View(1 / 4, mirrored), *_moved_views(1), *_moved_views(-1))),
)


def average_views(
    model: nn.Module, batches: Batches, logits: Logits, views: Sequence[View], share: float = 1.0
) -> Logits:
    """`logits`, averaged with those of `views` for the least confident `share` of the images.

    `logits` are those of the images as they are, in the order of `batches`. The confidence in an
    image is its largest probability; of equal ones the first image comes first.
    """
    chosen = least_confident(logits, share)
    result = logits.clone()
    data, prepare = batches.data, batches.prepare
    plain = 1 - sum(view.weight for view in views)
    with evaluating(model):
        for part in chosen.split(batches.batch_size):
            x = prepare(data.images[part])
            mean = plain * logits[part]
            for view in views:
                mean = mean + view.weight * model(view.look(x))
            result[part] = mean
    return result


def least_confident(logits: Logits, share: float) -> Int64[Tensor, "chosen"]:
    """The numbers of the images with the smallest largest probability, rising.

    >>> import torch
    >>> least_confident(torch.tensor([[9.0, 0.0], [1.0, 2.0], [0.0, 3.0]]), 0.5)
    tensor([1, 2])
    """
    confidence = logits.double().softmax(1).amax(1)
    count = math.ceil(share * len(logits))
    return confidence.argsort(stable=True)[:count].sort().values
