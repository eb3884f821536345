"""Padding: the border that an image gets before a window slides over it."""

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from jaxtyping import Float
from torch import Tensor

from convlens.ops.geometry import Geometry, source


def pad(x: Float[Tensor, "n c h w"], geometry: Geometry) -> Float[Tensor, "n c ph pw"]:
    """The images with their border: zeros, or copies of the rows and columns they come from.

    >>> x = torch.tensor([[[[1.0, 2.0, 3.0]]]])
    >>> pad(x, Geometry.of((1, 3), padding=(0, 2), padding_mode="reflect"))
    tensor([[[[3., 2., 1., 2., 3., 2., 1.]]]])
    """
    top, left = geometry.padding
    if geometry.padding_mode == "zeros":
        return F.pad(x, (left, left, top, top))
    for axis, padding in ((2, top), (3, left)):
        if padding:
            size = x.shape[axis]
            places = [
                source(position, size, geometry.padding_mode)
                for position in range(-padding, size + padding)
            ]
            x = x.index_select(axis, torch.tensor(places, device=x.device))
    return x


def unpad(
    padded: Float[Tensor, "n c ph pw"], geometry: Geometry, size: tuple[int, int]
) -> Float[Tensor, "n c h w"]:
    """The adjoint of `pad`: each border cell adds its number to the cell it was copied from.

    >>> unpad(torch.ones(1, 1, 1, 7), Geometry.of((1, 3), padding=(0, 2)), (1, 3))
    tensor([[[[1., 1., 1.]]]])
    """
    for axis, length, padding in zip((2, 3), size, geometry.padding, strict=True):
        if not padding:
            continue
        sources = [
            source(position, length, geometry.padding_mode)
            for position in range(-padding, length + padding)
        ]
        kept = [position for position, place in enumerate(sources) if place is not None]
        places = [place for place in sources if place is not None]
        shape = list(padded.shape)
        shape[axis] = length
        padded = padded.new_zeros(shape).index_add(
            axis,
            torch.tensor(places, device=padded.device),
            padded.index_select(axis, torch.tensor(kept, device=padded.device)),
        )
    return padded


def add_bias(y: Float[Tensor, "n o oh ow"], bias: Float[Tensor, "o"] | None) -> Tensor:
    """`y[n, o] + bias[o]`, or `y` where there is no bias.

    >>> add_bias(torch.zeros(1, 1, 1, 2), torch.tensor([3.0]))
    tensor([[[[3., 3.]]]])
    """
    return y if bias is None else y + bias[:, None, None]
