"""Restore: let a module train for a step or more, and give it back as it was.

`as_it_was` in `watch.py` is enough for a pass without gradients; training also writes gradients
and weights.
"""

from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import nn

from convlens.inspection.watch import as_it_was


@contextmanager
def trained_in_vain(module: nn.Module, *, weights: bool = True) -> Generator[None]:
    """Inside, `module` has no gradients and may be trained; afterwards it is as it was.

    Restored are gradients, buffers, modes, the state of the random generators and, unless
    `weights` is False, the weights. Attributes that are no tensors, such as a counter that a
    layer keeps in Python, are not.

    >>> layer = nn.Linear(2, 1)
    >>> with trained_in_vain(layer):
    ...     layer(torch.ones(1, 2)).sum().backward()
    >>> layer.weight.grad is None
    True
    """
    parameters = list(module.parameters())
    gradients = [parameter.grad for parameter in parameters]
    copies = [parameter.detach().clone() for parameter in parameters] if weights else []
    try:
        with as_it_was(module):
            for parameter in parameters:
                parameter.grad = None
            yield
    finally:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient
        with torch.no_grad():
            for parameter, copy in zip(parameters, copies, strict=False):
                parameter.copy_(copy)
