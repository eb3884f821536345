"""Smallest: the least image on which a network runs.

Each layer without padding and each pooling takes a little away, and at some size nothing is left
for the next window.
"""

from collections.abc import Callable
from contextlib import ExitStack

import torch
from torch import nn
from torch.func import functional_call

from convlens.core.errors import ConfigError
from convlens.inspection.watch import as_it_was


def smallest_input(runs: Callable[[int], bool], most: int = 512) -> int | None:
    """The least n up to `most` with `runs(n)`, or None: doubles up to a size that runs, bisects.

    It takes for granted that what runs at n runs at n + 1. Both n and, unless n is 1, n - 1 have
    been tried: n runs and n - 1 does not, whether this holds or not.

    >>> smallest_input(lambda size: size >= 12)
    12
    """
    fails, size = 0, 1
    while not runs(size):
        if size >= most:
            return None
        fails, size = size, min(2 * size, most)
    while size - fails > 1:
        middle = (fails + size) // 2
        if runs(middle):
            size = middle
        else:
            fails = middle
    return size


def runs_at(module: nn.Module, channels: int, size: int) -> bool:
    """Whether an image of this size passes through the module, in evaluation mode.

    Shapes alone pass, on the meta device: the module's weights are not read, copied or changed.

    >>> pools = nn.Sequential(nn.MaxPool2d(2), nn.MaxPool2d(2))
    >>> runs_at(pools, 1, 4), runs_at(pools, 1, 3)
    (True, False)

    Raises:
        ConfigError: a layer needs numbers, not only shapes.
    """
    tensors = {**dict(module.named_parameters()), **dict(module.named_buffers())}
    shapes = {name: torch.empty_like(tensor, device="meta") for name, tensor in tensors.items()}
    dtype = next((p.dtype for p in module.parameters() if p.is_floating_point()), torch.float32)
    with ExitStack() as exits:
        exits.enter_context(as_it_was(module))
        module.eval()
        exits.enter_context(torch.no_grad())
        exits.enter_context(torch.device("meta"))  # where a layer makes a tensor of its own
        x = torch.empty(1, channels, size, size, dtype=dtype)
        try:
            functional_call(module, shapes, x)
        except (RuntimeError, ValueError) as error:  # torch's and, as ShapeError, our own
            if isinstance(error, NotImplementedError) or "meta tensor" in str(error):
                raise ConfigError(
                    f"a layer needs more than shapes: {error}", fix="pass real images through it"
                ) from error
            return False
    return True
