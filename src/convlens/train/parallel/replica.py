"""A model's copy in each process, whose gradients are those of the whole batch.

`gradient = sum over processes of (their images / all images) * gradient of their mean loss`, so
each image counts once, however unevenly a batch is shared, and a process may have none of it.

Source: Li et al. (2020), https://arxiv.org/abs/2006.15704 (DistributedDataParallel): gradients are
exchanged while the backward pass is still at work on the layers before.
"""

from collections.abc import Callable
from contextlib import nullcontext
from typing import final

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from convlens.core.shapes import Batch, Labels, SoftLabels
from convlens.data.batches import Shard
from convlens.nn.auxiliary import AuxiliaryLogits
from convlens.train.parallel.batch_norm import share_batch_norm
from convlens.train.parallel.world import World

Loss = Callable[[tuple[Batch, Labels | SoftLabels]], Tensor]


@final
class Replica:
    """`model`, which from now on takes its batch norm's means over all processes.

    It must lie on its device, in the memory layout in which it will be trained.
    """

    def __init__(self, model: nn.Module, shard: Shard, world: World) -> None:
        share_batch_norm(model, world)
        device = next(model.parameters()).device
        self.shard, self.world, self.device = shard, world, device
        # Buffers are the same in all processes already.
        self.model = DistributedDataParallel(
            model,
            device_ids=None if device.type == "cpu" else [device],
            forward_sync_buffers=False,
        )

    def gradient(
        self, loss: Loss, batch: tuple[Batch, Labels | SoftLabels], num_images: int
    ) -> Float[Tensor, ""]:
        """This process's share of the mean loss over the `num_images` of all; adds its gradient.

        `loss` is the mean over some images, by `self.model`, and `batch` this process's images.
        """
        counts = [len(rows) for rows in self.shard.parts(num_images)]
        total = torch.zeros((), device=self.device)
        for number, (x, y) in enumerate(
            zip(batch[0].split(counts), batch[1].split(counts), strict=True), start=1
        ):
            with nullcontext() if number == len(counts) else self.model.no_sync():
                share = loss((x, y)) * (len(y) / num_images)
                (share * self.world.size).backward()  # which is then averaged over processes
            total += share.detach()
        return total


def no_loss(output: Tensor | AuxiliaryLogits) -> Float[Tensor, ""]:
    """0, on the graph of an output for no images, so that its process takes part in the exchange.

    >>> no_loss(torch.empty(0, 10))
    tensor(0.)
    """
    if isinstance(output, Tensor):
        return output.sum()
    return torch.stack([logits.sum() for logits in (output.main, *output.auxiliary)]).sum()
