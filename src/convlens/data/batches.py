"""Batches of images that already lie in memory: gathered, scaled and resized at once.

There are no worker processes. A batch of 128 is one gather and one or two tensor operations,
about 0.1 ms at 28x28, which is less than it takes to hand a batch from one process to another.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import final

import torch
from jaxtyping import Int64
from torch import Tensor

from convlens.core.seed import derive
from convlens.core.shapes import Batch, Labels, SoftLabels
from convlens.data.augment.apply import Augment
from convlens.data.augment.settings import AugmentConfig
from convlens.data.image_set import ImageSet
from convlens.data.transform import Prepare


@dataclass(frozen=True, kw_only=True, slots=True)
class Shard:
    """What process `rank` of `size` has of each batch: a share of each part of `part_size` images.

    Shares are contiguous, and their sizes differ by at most one image.
    """

    rank: int
    size: int
    part_size: int

    def parts(self, num_images: int) -> list[range]:
        """Which of `num_images` in a batch, part by part.

        >>> Shard(rank=1, size=2, part_size=10).parts(13)
        [range(5, 10), range(11, 13)]
        """
        starts = range(0, num_images, self.part_size)
        return [
            share(range(start, min(start + self.part_size, num_images)), self.rank, self.size)
            for start in starts
        ]


def share(whole: range, rank: int, size: int) -> range:
    """The share of process `rank` of `size`; together, in order, they are `whole`.

    >>> [share(range(7), rank, 3) for rank in range(3)]
    [range(0, 2), range(2, 4), range(4, 7)]
    """
    return whole[len(whole) * rank // size : len(whole) * (rank + 1) // size]


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
        shard: Shard | None = None,
    ) -> None:
        self.data = data
        self.batch_size = batch_size
        self.prepare = prepare
        self.shuffle_seed = shuffle_seed  # None: in order
        self.augment = augment  # None: the images as they are
        self.shard = shard  # None: whole batches

    def __len__(self) -> int:
        """Batches in an epoch, the last one perhaps smaller."""
        return math.ceil(len(self.data) / self.batch_size)

    def num_images(self, step: int) -> int:
        """The images of step `step` of an epoch, counted from 0, in all processes together."""
        return min(self.batch_size, len(self.data) - step * self.batch_size)

    def sharded(self, shard: Shard) -> "Batches":
        """The same batches, of which each holds this shard only."""
        return Batches(
            self.data,
            self.batch_size,
            self.prepare,
            shuffle_seed=self.shuffle_seed,
            augment=self.augment,
            shard=shard,
        )

    def epoch(
        self, epoch: int = 0, *, start: int = 0, stop: int | None = None
    ) -> Iterator[tuple[Batch, Labels | SoftLabels]]:
        """The batches of one epoch, from step `start` on, to before `stop`."""
        device = self.data.images.device
        order = self._order(epoch).to(device)
        steps = enumerate(order.split(self.batch_size))
        for step, chosen in islice(steps, start, stop):
            if self.shard is None:
                yield self._batch(chosen, epoch, step)
            else:
                yield self._shard(self.shard, chosen, epoch, step)

    def _batch(
        self, chosen: Int64[Tensor, "n"], epoch: int, step: int
    ) -> tuple[Batch, Labels | SoftLabels]:
        images = self.data.images.index_select(0, chosen)
        labels = self.data.labels.index_select(0, chosen)
        if self.augment is None:
            return self.prepare(images), labels
        images = self.augment.pixels(images, chosen, epoch, step)
        return self.augment.mix(self.prepare(images), labels, epoch, step)

    def _shard(
        self, shard: Shard, chosen: Int64[Tensor, "whole"], epoch: int, step: int
    ) -> tuple[Batch, Labels | SoftLabels]:
        rows = torch.cat([torch.tensor(part) for part in shard.parts(len(chosen))]).long()
        rows = rows.to(chosen.device)
        if self.augment is None or self.augment.config == AugmentConfig():
            return self._batch(chosen[rows], epoch, step)
        # Chance is drawn for the whole batch, and an image may be mixed with one of another share.
        x, labels = self._batch(chosen, epoch, step)
        return x[rows], labels[rows]

    def _order(self, epoch: int) -> torch.Tensor:
        if self.shuffle_seed is None:
            return torch.arange(len(self.data))
        # On the CPU whatever the device, so that every device sees the same order.
        generator = torch.Generator().manual_seed(derive(self.shuffle_seed, epoch))
        return torch.randperm(len(self.data), generator=generator)
