"""Stems: the first layers, which see pixels.

A stem for ImageNet shrinks its images fourfold before the first block, which leaves a 28x28
image with 7x7 places: too few. The small stem keeps every pixel.

A whitening layer is computed from the images, not learned. Neighbouring pixels are much alike, so
a patch of k x k pixels tells less than its k^2 numbers could. The covariance `C = E D E^T` of such
patches gives kernels, the columns of `E D^(-1/2)`, whose outputs are uncorrelated and of variance
one: fine differences come out as strong as broad ones. A ReLU would lose the half of each that is
negative, so each kernel is there with its negative, too.

Source: He et al. (2015), https://arxiv.org/abs/1512.03385, Table 1 (imagenet) and section 4.2
(small); Jordan (2024), https://arxiv.org/abs/2404.00498, section 3.2 (a fixed whitening layer, with
negatives); Coates and Ng (2012), https://link.springer.com/chapter/10.1007/978-3-642-35289-8_30
(whitened patches).
Differs from Jordan: a patch is taken about each pixel, and the images keep their size.
"""

import math
from collections.abc import Callable
from typing import Literal, final

import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from jaxtyping import Float
from torch import Tensor, nn

from convlens.core.shapes import Batch, Maps
from convlens.nn.conv import Conv2d
from convlens.nn.pool import MaxPool2d
from convlens.nn.unit import conv_unit, named

StemName = Literal["imagenet", "small"]
EPSILON = 4e-3  # added to each variance, so that directions that are all noise stay small
MOST_IMAGES = 1_000  # that are looked at: their 784,000 patches say enough


def conv_stem(
    in_channels: int,
    out_channels: int,
    name: StemName,
    *,
    bias: bool = False,
    norm: bool = True,
    activation: bool = True,
) -> nn.Sequential:
    """7x7 convolution with stride 2 and 3x3 max-pooling with stride 2; "small": 3x3, no pooling.

    >>> len(conv_stem(1, 64, "small")), len(conv_stem(3, 64, "imagenet"))
    (3, 4)
    """
    small = name == "small"
    unit = conv_unit(
        in_channels,
        out_channels,
        3 if small else 7,
        stride=1 if small else 2,
        bias=bias,
        norm=norm,
        activation=activation,
    )
    pool = {} if small else {"pool": MaxPool2d(3, stride=2, padding=1)}
    return named(**dict(unit.named_children()), **pool)


@final
class Whitening(nn.Module):
    """`relu(conv(x))` with fixed kernels, of n channels in and 2 n k^2 out, at the same size.

    Before `fit` the kernels are cosines (those of a discrete cosine transform), which whitening
    kernels of natural images resemble.

    >>> Whitening(1, 3).conv
    Conv2d(1, 18, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1), bias=False)
    """

    def __init__(self, in_channels: int, kernel_size: int) -> None:
        super().__init__()
        half = in_channels * kernel_size**2
        self.conv = Conv2d(in_channels, 2 * half, kernel_size, padding=kernel_size // 2, bias=False)
        self.conv.weight.requires_grad_(False)
        self.activation = nn.ReLU(inplace=True)
        self._set(torch.eye(in_channels).kron(_cosines(kernel_size).kron(_cosines(kernel_size))))

    def forward(self, x: Batch) -> Maps:
        """The whitened images, and their negatives, without what is below zero."""
        y: Tensor = self.activation(self.conv(x))
        return y

    @torch.no_grad()
    def fit(self, x: Batch) -> None:
        """Compute the kernels from the patches of the images `x`, as the network gets them."""
        patches = F.unfold(x, self.conv.kernel_size)
        covariance = torch.einsum("nip,njp->ij", patches, patches) / (
            patches.shape[0] * patches.shape[2]
        )
        self._set(whitening_kernels(covariance))

    @torch.no_grad()
    def _set(self, rows: Float[Tensor, "half numbers"]) -> None:
        kernels = rows.reshape(-1, *self.conv.weight.shape[1:])
        self.conv.weight.copy_(torch.cat([kernels, -kernels]))


def whitening_kernels(covariance: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """The rows `e_i / sqrt(d_i + epsilon)` of the covariance `E D E^T`, largest variance first.

    The number of each row that is largest in size is positive, since the sign is arbitrary.
    """
    variances, directions = torch.linalg.eigh(covariance.double())
    rows = (directions / (variances + EPSILON).sqrt()).T.flip(0)
    largest = rows.gather(1, rows.abs().argmax(1, keepdim=True))
    return (rows * largest.sign()).float()


def fit_whitening(model: nn.Module, images: Callable[[], Batch]) -> None:
    """Fit the whitening layer of `model`, if it has one, to the `images`, which then are made."""
    for part in model.modules():
        if isinstance(part, Whitening):
            part.fit(images())


def _cosines(size: int) -> Float[Tensor, "size size"]:
    """The orthonormal rows `c_i cos(pi (j + 1/2) i / size)`."""
    at = (torch.arange(size) + 0.5) * (math.pi / size)
    rows = torch.cos(torch.arange(size)[:, None] * at) * math.sqrt(2 / size)
    rows[0] /= math.sqrt(2)
    return rows
