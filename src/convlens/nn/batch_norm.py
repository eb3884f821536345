"""Batch normalisation from scratch: what `torch.nn.BatchNorm2d` does, written out.

While training each channel is brought to mean 0 and variance 1 over the batch and all places,
and the layer remembers a running mean and variance; an evaluation uses those. Both are buffers,
so they are saved, loaded and moved with the weights.

Source: Ioffe and Szegedy (2015), https://arxiv.org/abs/1502.03167, Algorithms 1 and 2; d2l 8.5.
Differs from d2l: `train()` and `eval()` decide which statistics are used, not whether gradients
are recorded; the running statistics are in the state dict; and the running variance is unbiased
(divided by count - 1), as in the paper and in torch.
"""

from typing import Any, final

import torch
from jaxtyping import Float
from torch import Tensor, nn

from convlens.core.errors import ConfigError, ShapeError


@final
class BatchNorm2d(nn.Module):
    """`(x - mean) / sqrt(variance + eps) * weight + bias`, channel by channel.

    Its state dict is that of `torch.nn.BatchNorm2d`, with the same settings.

    >>> layer = BatchNorm2d(1, affine=False)
    >>> layer(torch.tensor([1.0, 3.0]).reshape(2, 1, 1, 1)).flatten()
    tensor([-1.0000,  1.0000])
    >>> layer.running_mean, layer.running_var  # a tenth of the way from 0 to 2 and from 1 to 2
    (tensor([0.2000]), tensor([1.1000]))
    >>> layer.eval()(torch.tensor([[[[0.2]]]]))
    tensor([[[[0.]]]])

    Raises:
        ConfigError: a setting that makes no sense.
    """

    weight: Tensor | None
    bias: Tensor | None
    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_features < 1:
            raise ConfigError(f"num_features={num_features}: must be >= 1")
        if eps < 0:
            raise ConfigError(f"eps={eps}: must be >= 0")
        if momentum is not None and not 0 <= momentum <= 1:
            raise ConfigError(f"momentum={momentum}: must be in [0, 1], or None")
        self.num_features = num_features
        self.eps = eps
        self.momentum = momentum  # of the newest batch; None: all batches count the same
        self.affine = affine
        self.track_running_stats = track_running_stats

        def full(value: float) -> Tensor:
            return torch.full((num_features,), value, device=device, dtype=dtype)

        self.register_parameter("weight", nn.Parameter(full(1.0)) if affine else None)
        self.register_parameter("bias", nn.Parameter(full(0.0)) if affine and bias else None)
        tracked = track_running_stats
        self.register_buffer("running_mean", full(0.0) if tracked else None)
        self.register_buffer("running_var", full(1.0) if tracked else None)
        count = torch.tensor(0, dtype=torch.int64, device=device)
        self.register_buffer("num_batches_tracked", count if tracked else None)

    def forward(self, input: Float[Tensor, "n c h w"]) -> Float[Tensor, "n c h w"]:
        """The images, each channel normalised, then scaled and shifted.

        Raises:
            ShapeError: other channels than `num_features`, or a training batch of one value.
        """
        self._check(input)
        x = input.to(torch.promote_types(input.dtype, torch.float32))  # sums need the digits
        if self.training or self.running_mean is None or self.running_var is None:
            mean = x.mean((0, 2, 3))
            variance = (x - mean[:, None, None]).square().mean((0, 2, 3))  # biased: by count
            if self.training:
                self._remember(mean.detach(), variance.detach(), x.numel() // self.num_features)
        else:
            mean, variance = self.running_mean, self.running_var
        y = (x - mean[:, None, None]) / (variance + self.eps).sqrt()[:, None, None]
        if self.weight is not None:
            y = y * self.weight[:, None, None]
        if self.bias is not None:
            y = y + self.bias[:, None, None]
        return y.to(input.dtype)

    def extra_repr(self) -> str:
        """The settings of the layer, as torch prints them."""
        return (
            f"{self.num_features}, eps={self.eps}, momentum={self.momentum}, "
            f"affine={self.affine}, bias={self.bias is not None}, "
            f"track_running_stats={self.track_running_stats}"
        )

    @torch.no_grad()
    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Move the running statistics towards those of a batch with `count` values a channel."""
        if self.running_mean is None or self.running_var is None:
            return
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = self.momentum
        if share is None:
            share = 1 / int(self.num_batches_tracked)
        unbiased = variance * (count / (count - 1))
        for running, new in ((self.running_mean, mean), (self.running_var, unbiased)):
            running.mul_(1 - share).add_(new.to(running.dtype), alpha=share)

    def _check(self, x: Tensor) -> None:
        if x.ndim != 4 or x.shape[1] != self.num_features:
            raise ShapeError(
                f"x has shape {tuple(x.shape)}; batch norm of {self.num_features} channels needs "
                f"(n, {self.num_features}, h, w)"
            )
        if not x.is_floating_point():
            raise ShapeError(f"x holds {x.dtype}; it must hold floating-point numbers")
        if self.training and x.numel() <= self.num_features:
            raise ShapeError(
                f"x has shape {tuple(x.shape)}: training needs more than one value per channel, "
                "else there is no variance",
                fix="use larger batches, or call eval() first",
            )
