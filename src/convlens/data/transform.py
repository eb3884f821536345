"""From pixels to numbers: scale, normalise and resize a whole batch at once.

Resizing is two matrix products, one for the rows and one for the columns:
`x' = R x R^T`, with a row of `R` holding the two weights of linear interpolation.
"""

from typing import final

import torch
from jaxtyping import Float
from torch import Tensor

from convlens.core.shapes import Pixels


def resize_matrix(size: int, new_size: int) -> Float[Tensor, "new old"]:
    """The matrix that resizes an axis linearly, pixel centres aligned, edges repeated.

    Equal to `F.interpolate(mode="bilinear", align_corners=False)` along one axis.

    >>> resize_matrix(2, 4)
    tensor([[1.0000, 0.0000],
            [0.7500, 0.2500],
            [0.2500, 0.7500],
            [0.0000, 1.0000]])
    """
    position = (torch.arange(new_size, dtype=torch.float64) + 0.5) * (size / new_size) - 0.5
    position = position.clamp(0, size - 1)
    left = position.floor().long()
    right = (left + 1).clamp(max=size - 1)
    weight = position - left
    matrix = torch.zeros(new_size, size, dtype=torch.float64)
    rows = torch.arange(new_size)
    matrix[rows, left] += 1 - weight
    matrix[rows, right] += weight
    return matrix.float()


@final
class Prepare:
    """`(pixels / 255 - mean) / std`, resized: what a network of this recipe is fed.

    The image size is one number, or height and width.
    """

    def __init__(
        self,
        image_size: int | tuple[int, int],
        *,
        mean: tuple[float, ...] = (0.0,),
        std: tuple[float, ...] = (1.0,),
    ) -> None:
        square = isinstance(image_size, int)
        self.height, self.width = (image_size, image_size) if square else image_size
        self.mean = mean
        self.std = std
        self._matrices: dict[tuple[int, int, torch.device], Tensor] = {}

    def __call__(self, pixels: Pixels) -> Float[Tensor, "n c {self.height} {self.width}"]:
        """The batch for the network, on the device of `pixels`."""
        x = pixels.float().div_(255)
        if any(self.mean) or any(std != 1 for std in self.std):
            x.sub_(self._per_channel(self.mean, x)).div_(self._per_channel(self.std, x))
        height, width = x.shape[2:]
        if height != self.height:
            x = self._matrix(height, self.height, x.device) @ x
        if width != self.width:
            x = x @ self._matrix(width, self.width, x.device).T
        return x

    def _per_channel(self, values: tuple[float, ...], like: Tensor) -> Tensor:
        return torch.tensor(values, device=like.device)[:, None, None]

    def _matrix(self, size: int, new_size: int, device: torch.device) -> Tensor:
        key = (size, new_size, device)
        if key not in self._matrices:
            self._matrices[key] = resize_matrix(size, new_size).to(device)
        return self._matrices[key]
