"""Learn: a kernel found by gradient descent from an image and what it should become.

The loss is the sum of the squared differences; its slope by the kernel is the hand-derived
`kernel_gradient`, so no autograd takes part.

Source: d2l 7.2, "Learning a Kernel".
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from convlens.core.errors import ConfigError, Diverged
from convlens.ops.checks import correlation_geometry
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.gradient import kernel_gradient
from convlens.ops.steps.records import Cube

# The book starts at random and prints the end, (1.0383, -0.9430) after ten steps. The error is
# multiplied by -0.8 along (1, 1) and by 0.64 along (1, -1) in each; solved back, this is the start.
START = (0.63279, 0.25476)


@dataclass(frozen=True, slots=True)
class LearningStep:
    """One step of gradient descent."""

    epoch: int  # from 1
    loss: float  # of the kernel before the step
    gradient: Cube  # of that loss
    kernel: Cube  # after the step


def edge_image(height: int = 6, width: int = 8) -> Float[Tensor, "h w"]:
    """An image of ones whose middle columns, all but two at each side, are zeros.

    >>> edge_image(1)
    tensor([[1., 1., 0., 0., 0., 0., 1., 1.]])
    """
    image = torch.ones(height, width)
    image[:, 2 : width - 2] = 0
    return image


def random_start(seed: int, size: tuple[int, int] = (1, 2)) -> Float[Tensor, "1 kh kw"]:
    """A kernel as `torch.nn.Conv2d` would start with: uniform within 1 / sqrt(entries).

    >>> bool((random_start(3).abs() <= 0.7072).all())
    True
    """
    bound = 1 / math.sqrt(size[0] * size[1])
    generator = torch.Generator().manual_seed(seed)
    return torch.empty(1, *size).uniform_(-bound, bound, generator=generator)


def learn_kernel(
    x: Float[Tensor, "c h w"],
    y: Float[Tensor, "oh ow"],
    start: Float[Tensor, "c kh kw"],
    *,
    lr: float = 3e-2,
    num_epochs: int = 10,
) -> Iterator[LearningStep]:
    """Gradient descent `kernel - lr dL/dkernel` on `L = sum of (correlate(x, kernel) - y)^2`.

    >>> x = edge_image()[None]
    >>> y = cross_correlation2d(x[None], torch.tensor([[[[1.0, -1.0]]]]))[0, 0]
    >>> losses = [step.loss for step in learn_kernel(x, y, torch.tensor([[START]]))]
    >>> [f"{loss:.3f}" for loss in losses[1::2]]
    ['10.795', '3.640', '1.360', '0.535', '0.215']

    Raises:
        ConfigError: a learning rate that is not positive, or no epochs.
        ShapeError: the tensors do not fit.
        Diverged: the loss is no longer finite.
    """
    if not 0 < lr < math.inf:
        raise ConfigError(f"lr={lr}: must be > 0")
    if num_epochs < 1:
        raise ConfigError(f"epochs={num_epochs}: must be >= 1")
    kernel = start[None].clone()
    geometry = correlation_geometry(x[None], kernel)
    for epoch in range(1, num_epochs + 1):
        error = cross_correlation2d(x[None], kernel)[0, 0] - y
        loss: float = error.square().sum().item()
        if not math.isfinite(loss):
            raise Diverged(
                f"epoch {epoch}: the loss is {loss}", fix=f"try a smaller step: --lr {lr / 10:g}"
            )
        gradient = kernel_gradient(2 * error[None, None], x[None], geometry)
        kernel = kernel - lr * gradient
        yield LearningStep(epoch, loss, _cube(gradient[0]), _cube(kernel[0]))


def _cube(tensor: Tensor) -> Cube:
    return tuple(tuple(tuple(row) for row in channel) for channel in tensor.tolist())
