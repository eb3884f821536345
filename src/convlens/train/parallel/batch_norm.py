"""Batch norm over the batch of all processes: the numbers are those of one process.

Each process has a share of a batch. It tells the others how many numbers of a channel it has, their
mean and the sum of their squared distances from it; from these follow the mean and the variance of
all. So a layer costs one exchange of 2c + 1 numbers forwards, and one of 2c backwards, and each
process waits for the slowest there.

Source: Ioffe and Szegedy (2015), https://arxiv.org/abs/1502.03167, Algorithm 1, and the gradient
above it; Chan, Golub and LeVeque (1979), http://i.stanford.edu/pub/cstr/reports/cs/tr/79/773/,
equations 2.1, for the merged sums.
Differs from `torch.nn.SyncBatchNorm`: it also works on a CPU, and with a share of no image.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any, final

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm  # pyright: ignore[reportPrivateUsage]

from convlens.train.parallel.world import World


def share_batch_norm(model: nn.Module, world: World) -> None:
    """Have each batch norm of `model` take its means over the batch of all processes.

    The layers stay what they are, with the same parameters and buffers; an evaluation is as ever.
    """
    for part in model.modules():
        if isinstance(part, _BatchNorm):
            setattr(part, "forward", partial(shared_batch_norm, part, world))  # noqa: B010


def shared_batch_norm(norm: _BatchNorm, world: World, x: Tensor) -> Tensor:
    """What `norm` makes of this process's share `x` of a batch.

    Raises:
        ValueError: as torch's layer does, if the batch has one value for each channel.
    """
    if not norm.training:
        return type(norm).forward(norm, x)
    mean, variance, count = statistics(x, world)
    if count < 2:
        raise ValueError(f"batch norm needs more than one value for each channel, not {count}")
    _remember(norm, mean, variance, count)
    about = _Batch(mean=mean, variance=variance, count=count, eps=norm.eps, world=world)
    result: Tensor = _Normalize.apply(x, norm.weight, norm.bias, about)
    return result


def statistics(x: Tensor, world: World) -> tuple[Tensor, Tensor, int]:
    """The mean and the variance of each channel over all processes, and of how many values.

    >>> from convlens.train.parallel.world import ALONE
    >>> statistics(torch.tensor([[1.0], [3.0]]), ALONE)
    (tensor([2.]), tensor([1.]), 2)
    """
    channels, count = x.shape[1], x[:, :1].numel()
    x = x.to(torch.promote_types(x.dtype, torch.float32))  # bfloat16 has too few digits for sums
    here = torch.zeros(2 * channels + 1, dtype=torch.float64, device=x.device)
    if count:
        variance, mean = torch.var_mean(x, _all_but_channels(x), correction=0)
        here[0], here[1 : channels + 1], here[channels + 1 :] = count, mean, variance * count
    counts, means, squares = torch.stack(world.gather(here)).split([1, channels, channels], 1)
    total = counts.sum()
    mean = (counts * means).sum(0) / total
    variance = (squares + counts * (means - mean).square()).sum(0) / total
    return mean.to(x.dtype), variance.to(x.dtype), int(total)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Batch:
    """What there is to know of the batch of all processes."""

    mean: Tensor  # of each channel
    variance: Tensor
    count: int  # values of a channel
    eps: float  # added to the variance
    world: World


@final
class _Normalize(torch.autograd.Function):
    """(x - mean) / sqrt(variance + eps) * weight + bias, where both depend on all of x."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor | None, bias: Tensor | None, batch: _Batch
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.batch, ctx.has_bias = batch, bias is not None
        if not len(x):
            return torch.empty_like(x)
        mean, variance = batch.mean, batch.variance
        return F.batch_norm(x, mean, variance, weight, bias, training=False, eps=batch.eps)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        (dy,) = gradients
        x, weight = ctx.saved_tensors
        batch: _Batch = ctx.batch
        dy = dy.to(batch.mean.dtype)
        along, dims = (1, -1, *[1] * (x.ndim - 2)), _all_but_channels(x)
        scale = (batch.variance + batch.eps).rsqrt()
        normal = (x - batch.mean.view(along)) * scale.view(along)
        d_bias, d_weight = dy.sum(dims), (dy * normal).sum(dims)
        sums = batch.world.sum(torch.stack([d_bias, d_weight])) / batch.count
        dx = dy - sums[0].view(along) - normal * sums[1].view(along)
        dx = dx * (scale if weight is None else scale * weight).view(along)
        d_weight = None if weight is None else d_weight
        return dx.to(x.dtype), d_weight, d_bias if ctx.has_bias else None, None


@torch.no_grad()
def _remember(norm: _BatchNorm, mean: Tensor, variance: Tensor, count: int) -> None:
    """Move the running statistics as torch's layer does."""
    if norm.running_mean is None or norm.running_var is None:
        return
    assert norm.num_batches_tracked is not None
    norm.num_batches_tracked.add_(1)
    share = norm.momentum
    if share is None:
        share = 1 / int(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean, share)
    norm.running_var.lerp_(variance * (count / (count - 1)), share)


def _all_but_channels(x: Tensor) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))
