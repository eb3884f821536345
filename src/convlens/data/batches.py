"""Batches of images that already lie in memory: gathered, scaled and resized at once.

There are no worker processes. A batch of 128 is one gather and one or two tensor operations,
about 0.1 ms at 28x28, which is less than it takes to hand a batch from one process to another.
"""

import math
from collections.abc import Iterator
from typing import final

import torch

from convlens.core.seed import derive
from convlens.core.shapes import Batch, Labels, SoftLabels
from convlens.data.augment.apply import Augment
from convlens.data.image_set import ImageSet
from convlens.data.transform import Prepare


@final
class Batches:
    """The batches of an image set, in order, or shuffled anew in each epoch.

    The order of an epoch depends only on the seed and the epoch's number, so a training can
    be taken up again at any step: `epoch(3, start=100)` yields what an uninterrupted third
    epoch would from its step 100 on.
    """

    def __init__(
        self,
        data: ImageSet,
        batch_size: int,
        prepare: Prepare,
        *,
        shuffle_seed: int | None = None,
        augment: Augment | None = None,
    ) -> None:
        self.data = data
        self.batch_size = batch_size
        self.prepare = prepare
        self.shuffle_seed = shuffle_seed  # None: in order
        self.augment = augment  # None: the images as they are

    def __len__(self) -> int:
        """Batches in an epoch, the last one perhaps smaller."""
        return math.ceil(len(self.data) / self.batch_size)

    def epoch(
        self, epoch: int = 0, *, start: int = 0
    ) -> Iterator[tuple[Batch, Labels | SoftLabels]]:
        """The batches of one epoch, from step `start` on."""
        device = self.data.images.device
        order = self._order(epoch).to(device)
        for step, chosen in enumerate(order.split(self.batch_size)[start:], start=start):
            images = self.data.images.index_select(0, chosen)
            labels = self.data.labels.index_select(0, chosen)
            if self.augment is None:
                yield self.prepare(images), labels
            else:
                images = self.augment.pixels(images, chosen, epoch, step)
                yield self.augment.mix(self.prepare(images), labels, epoch, step)

    def _order(self, epoch: int) -> torch.Tensor:
        if self.shuffle_seed is None:
            return torch.arange(len(self.data))
        # On the CPU whatever the device, so that every device sees the same order.
        generator = torch.Generator().manual_seed(derive(self.shuffle_seed, epoch))
        return torch.randperm(len(self.data), generator=generator)
