"""Lookahead: slow weights go part of the way that the optimiser has gone in a few steps.

After every `every` steps, `slow <- slow + share * (fast - slow)`, and the optimiser goes on from
there. It keeps its momentum.

Source: Zhang et al. (2019), https://arxiv.org/abs/1907.08610, algorithm 1.
Differs from it: a round ends before each evaluation, too, so what is evaluated and kept always is
the slow weights. Batch norm's means and variances stay those of the fast weights, as in the paper.
"""

from collections.abc import Iterable, Mapping
from typing import final

import torch
from torch import Tensor, nn


@final
class Lookahead:
    """The slow weights behind `parameters`."""

    def __init__(self, parameters: Iterable[nn.Parameter], *, every: int, share: float) -> None:
        self.every = every
        self.share = share
        self._fast = [parameter for parameter in parameters if parameter.requires_grad]
        self._slow = [parameter.detach().clone() for parameter in self._fast]

    def update(self, step: int) -> None:
        """End the round if step `step` of the training, counted from 1, is its last."""
        if step % self.every == 0:
            self.end_round()

    @torch.no_grad()
    def end_round(self) -> None:
        """Move the slow weights towards the fast ones, which go on from there."""
        for slow, fast in zip(self._slow, self._fast, strict=True):
            slow.lerp_(fast, self.share)
            fast.copy_(slow)

    def state_dict(self) -> dict[str, Tensor]:
        """The slow weights, by the number of the parameter."""
        return {str(number): slow for number, slow in enumerate(self._slow)}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """What `state_dict` gave."""
        for number, slow in enumerate(self._slow):
            slow.copy_(state[str(number)])
