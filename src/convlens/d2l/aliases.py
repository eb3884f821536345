"""Torch's functions and methods by the short names that the book gives them.

Source: d2l, the appendix on its API, https://d2l.ai/chapter_appendix-tools-for-deep-learning/d2l.html.
"""

from typing import Any

import torch
from torch import Tensor, nn

nn_Module = nn.Module  # noqa: N816 - the book's name
ones_like, ones, zeros_like, zeros = torch.ones_like, torch.ones, torch.zeros_like, torch.zeros
tensor, arange, meshgrid, linspace, eye = (
    torch.tensor, torch.arange, torch.meshgrid, torch.linspace, torch.eye,
)  # fmt: skip
sin, sinh, cos, cosh, tanh = torch.sin, torch.sinh, torch.cos, torch.cosh, torch.tanh
exp, log, abs, sigmoid = torch.exp, torch.log, torch.abs, torch.sigmoid
normal, rand, randn = torch.normal, torch.rand, torch.randn
matmul, batch_matmul, stack, concat = torch.matmul, torch.bmm, torch.stack, torch.cat
int32, int64, float32 = torch.int32, torch.int64, torch.float32


def numpy(x: Tensor) -> Any:
    """The numbers of `x` as a NumPy array, from any device.

    >>> numpy(ones(2, requires_grad=True))
    array([1., 1.], dtype=float32)
    """
    return x.detach().cpu().numpy()


def size(x: Tensor) -> int:
    """How many numbers `x` holds.

    >>> size(zeros(2, 3))
    6
    """
    return x.numel()


def reshape(x: Tensor, *shape: Any) -> Tensor:
    """The numbers of `x` in another shape.

    >>> reshape(arange(4), (2, 2)).tolist()
    [[0, 1], [2, 3]]
    """
    return x.reshape(*shape)


def to(x: Any, *target: Any, **more: Any) -> Any:
    """`x` on another device, or of another type."""
    return x.to(*target, **more)


def astype(x: Tensor, dtype: torch.dtype) -> Tensor:
    """The numbers of `x` as another type.

    >>> astype(tensor([1.5]), int64)
    tensor([1])
    """
    return x.to(dtype)


def transpose(x: Tensor) -> Tensor:
    """The matrix `x` with rows and columns exchanged.

    >>> transpose(tensor([[1, 2]])).tolist()
    [[1], [2]]
    """
    return x.t()


def reduce_sum(x: Tensor, *axes: Any, **more: Any) -> Tensor:
    """The sum of the numbers of `x`, or along some axes.

    >>> reduce_sum(ones(2, 3), 0)
    tensor([2., 2., 2.])
    """
    return x.sum(*axes, **more)


def reduce_mean(x: Tensor, *axes: Any, **more: Any) -> Tensor:
    """The mean of the numbers of `x`, or along some axes.

    >>> reduce_mean(tensor([1.0, 2.0]))
    tensor(1.5000)
    """
    return x.mean(*axes, **more)


def argmax(x: Tensor, *axes: Any, **more: Any) -> Tensor:
    """Where the largest number of `x` is.

    >>> argmax(tensor([[1, 9], [8, 2]]), 1)
    tensor([1, 0])
    """
    return x.argmax(*axes, **more)


def expand_dims(x: Tensor, *axis: Any, **more: Any) -> Tensor:
    """`x` with one more axis, of length one.

    >>> expand_dims(ones(2), 0).shape
    torch.Size([1, 2])
    """
    return x.unsqueeze(*axis, **more)


def swapaxes(x: Tensor, *axes: Any, **more: Any) -> Tensor:
    """`x` with two axes exchanged.

    >>> swapaxes(ones(2, 3, 4), 0, 2).shape
    torch.Size([4, 3, 2])
    """
    return x.swapaxes(*axes, **more)


def repeat(x: Tensor, *times: Any, **more: Any) -> Tensor:
    """`x` beside itself, so many times along each axis.

    >>> repeat(tensor([1, 2]), 2)
    tensor([1, 2, 1, 2])
    """
    return x.repeat(*times, **more)
