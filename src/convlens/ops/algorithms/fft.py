"""FFT: a correlation as a product of spectra.

By the correlation theorem `F(x corr k) = F(x) * conj(F(k))`, cell by cell: two transforms in, one
product, one transform out. The work does not depend on the kernel's size, so it pays for large
kernels. A stride is taken by computing every place and keeping some, a dilation by
writing the holes into the kernel.

Rounding errors are relative to the largest output, not to each output: see docs/numerics.md.
And a NaN or an infinity in one pixel spreads over the whole image.

Source: Cooley and Tukey (1965), https://doi.org/10.1090/S0025-5718-1965-0178586-1; for
networks Mathieu, Henaff and LeCun (2013), https://arxiv.org/abs/1312.5851.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from convlens.ops.algorithms import native
from convlens.ops.algorithms.padding import add_bias, pad
from convlens.ops.geometry import Geometry


def spread(kernel: Float[Tensor, "o c kh kw"], geometry: Geometry) -> Float[Tensor, "o c eh ew"]:
    """The kernel with the holes of its dilation written as zeros.

    >>> spread(torch.ones(1, 1, 1, 2), Geometry.of((1, 2), dilation=2))
    tensor([[[[1., 0., 1.]]]])
    """
    rows, columns = geometry.rows, geometry.columns
    wide = kernel.new_zeros(*kernel.shape[:2], rows.extent, columns.extent)
    wide[:, :, :: rows.dilation, :: columns.dilation] = kernel
    return wide


def correlate(
    x: Float[Tensor, "n c h w"],
    kernel: Float[Tensor, "o cg kh kw"],
    bias: Float[Tensor, "o"] | None,
    geometry: Geometry,
) -> Float[Tensor, "n o oh ow"]:
    """`F^-1(sum over c of F(x) * conj(F(kernel)))`, the valid part of it, every stride-th place.

    The transform is circular, so places near the far edge wrap around; those are just the places
    where the kernel would leave the padded image, and they are cut off.
    """
    if x.shape[0] == 0:  # nothing to transform, and FFT libraries refuse an empty batch
        return native.correlate(x, kernel, bias, geometry)
    height, width = geometry.output_size(*x.shape[2:])
    rows, columns = geometry.rows, geometry.columns
    working = torch.promote_types(x.dtype, torch.float32)  # there is no FFT in half precision
    padded = pad(x, geometry).to(working)
    size = (padded.shape[2], padded.shape[3])
    image = torch.fft.rfft2(padded).unflatten(1, (geometry.groups, -1))
    wide = torch.fft.rfft2(spread(kernel, geometry).to(working), s=size)
    product = torch.einsum(
        "ngcuv,gocuv->ngouv", image, wide.conj().unflatten(0, (geometry.groups, -1))
    )
    y = torch.fft.irfft2(product.flatten(1, 2), s=size)
    last_row, last_column = (height - 1) * rows.stride, (width - 1) * columns.stride
    y = y[:, :, : last_row + 1 : rows.stride, : last_column + 1 : columns.stride]
    return add_bias(y.to(x.dtype), bias)
