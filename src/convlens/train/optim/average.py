"""The moving average of a model's weights, which is evaluated and kept in place of the weights.

`average <- d average + (1 - d) weights` after each step, with `d = min(decay, (1 + n) / (10 + n))`
after step `n`, so that the first weights, drawn by chance, are soon forgotten.

Numbers that a model keeps beside its parameters, as the means and variances of batch norm, are
averaged in the same way: they belong to the weights of their step, and the averaged network needs
ones that belong to it. To count them anew would be more exact and cost a pass over the images.
Whole numbers are not averaged.

Source: Tarvainen and Valpola (2017), https://arxiv.org/abs/1703.01780, section 2, of the average;
the slower start is that of TensorFlow's `ExponentialMovingAverage`.
"""

from collections.abc import Iterator, Mapping
from typing import final

import torch
from torch import Tensor, nn

_AVERAGE, _RAW = "average.", "raw."


def decay_after(step: int, decay: float) -> float:
    """The share of the average that stays after step `step`, counted from 1.

    >>> [round(decay_after(step, 0.99), 3) for step in (1, 10, 1000)]
    [0.182, 0.55, 0.99]
    """
    return min(decay, (1 + step) / (10 + step))


@final
class WeightAverage:
    """Follows the weights of `model`; `show` puts the average into it and `hide` the weights."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = model
        self.decay = decay
        self._average = {name: tensor.clone() for name, tensor in self._numbers()}
        self._raw: dict[str, Tensor] = {}  # the weights, while the model has the average

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Take in the weights that step `step` of the training, counted from 1, has left."""
        assert not self._raw, "the model has the average, not the weights"
        kept = decay_after(step, self.decay)
        for name, tensor in self._numbers():
            self._average[name].lerp_(tensor, 1 - kept)

    @torch.no_grad()
    def show(self) -> None:
        """Put the average into the model, which until `hide` is not to be trained."""
        if not self._raw:
            self._raw = {name: tensor.clone() for name, tensor in self._numbers()}
            self._put(self._average)

    @torch.no_grad()
    def hide(self) -> None:
        """Put the weights back, bit for bit."""
        if self._raw:
            self._put(self._raw)
            self._raw = {}

    def state_dict(self) -> dict[str, Tensor]:
        """The average, and the weights while the model does not have them."""
        average = {_AVERAGE + name: tensor for name, tensor in self._average.items()}
        return average | {_RAW + name: tensor for name, tensor in self._raw.items()}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """What `state_dict` gave; the model's own tensors are not touched."""
        for name, tensor in self._average.items():
            tensor.copy_(state[_AVERAGE + name])
        self._raw = {}
        if any(name.startswith(_RAW) for name in state):
            for name, tensor in self._numbers():
                self._raw[name] = tensor.clone().copy_(state[_RAW + name])

    def _put(self, tensors: Mapping[str, Tensor]) -> None:
        for name, tensor in self._numbers():
            tensor.copy_(tensors[name])

    def _numbers(self) -> Iterator[tuple[str, Tensor]]:
        for name, tensor in self.model.state_dict().items():
            if tensor.is_floating_point():
                yield name, tensor.detach()
