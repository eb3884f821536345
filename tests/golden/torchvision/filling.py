"""Weights that are a pure function of their name and shape, the same in every version of torch.

Source: the mixing of integers is Chris Wellons' lowbias32, https://nullprogram.com/blog/2018/07/31.
"""

import math
import zlib

import torch
from torch import Tensor

MASK = 0xFFFFFFFF


def noise(name: str, shape: tuple[int, ...]) -> Tensor:
    """Numbers spread evenly over [-0.5, 0.5), by integer arithmetic alone."""
    x = torch.arange(math.prod(shape), dtype=torch.int64) + zlib.crc32(name.encode())
    x &= MASK
    x ^= x >> 16
    x = (x * 0x7FEB352D) & MASK
    x ^= x >> 15
    x = (x * 0x846CA68B) & MASK
    x ^= x >> 16
    return (x.double() / 2**32 - 0.5).reshape(shape).float()


def weight(name: str, shape: tuple[int, ...]) -> Tensor:
    """What a trained network might hold under this name: kernels, norms, biases, statistics."""
    if name.endswith("num_batches_tracked"):
        return torch.zeros(shape, dtype=torch.int64)
    if len(shape) > 1:  # kernels: uniform, variance 2 / fan in
        return noise(name, shape) * math.sqrt(24 / math.prod(shape[1:]))
    around = 1.0 if name.endswith(("weight", "running_var")) else 0.0
    return around + 0.2 * noise(name, shape)


def image(channels: int, size: int) -> Tensor:
    """Two images."""
    return noise("images", (2, channels, size, size)) * 4
