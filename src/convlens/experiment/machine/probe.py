"""Ways to compute a recipe's step, timed in turns here and now, and the one to take.

A step is forward pass, loss, backward pass and an update, of the recipe's own network and of a
full batch of its images. Networks are copies; weights, images and chance stay as they were.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, final

import torch
from torch import Tensor, nn

from convlens.data.batches import Batches
from convlens.inspection.training.timing import Timing, time_models
from convlens.train.machine.precision import computed_in, has_bfloat16
from convlens.train.optim import TrainConfig

SECONDS = 4.0  # for all turns together, about
_LEAST, _MOST = 3, 20  # turns of each way
CLEARLY = 0.9  # another way than the first must take less than this share of its time


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """How a step is computed."""

    channels_last: bool
    precision: str

    def told(self) -> str:
        """It in words.

        >>> Way(channels_last=True, precision="float32").told()
        'channels last, float32'
        """
        return f"{'channels last' if self.channels_last else 'contiguous'}, {self.precision}"


Timed = dict[Way, Timing]


def ways(config: TrainConfig, device: torch.device, *, every: bool = False) -> list[Way]:
    """The ways that `config` leaves open on this device, or every one there is, the usual first."""
    layouts = [True, False]
    if not every and config.channels_last != "auto":
        layouts = [config.channels_last]
    precisions = ["float32", *(["bfloat16"] if has_bfloat16(device) else [])]
    if not every and config.precision != "auto":
        precisions = [config.precision]
    return [
        Way(channels_last=layout, precision=precision)
        for precision in precisions
        for layout in layouts
    ]


def time_ways(model: nn.Module, batches: Batches, size: int, chosen: Sequence[Way]) -> Timed:
    """The time of a step of `size` images for each way, all taking turns."""
    x, y = next(iter(batches.epoch(1)))
    x, y = x[:size], y[:size]
    models = {way.told(): (Computed(deepcopy(model), way), x) for way in chosen}
    first = time_models(models, labels=y, rounds=1, warm_up=1)
    once = sum(timing.median_seconds for timing in first.values())
    rounds = min(max(int(SECONDS / once), _LEAST), _MOST)
    found = time_models(models, labels=y, rounds=rounds, warm_up=1)
    return {way: found[way.told()] for way in chosen}


def fastest(timed: Timed) -> Way:
    """The first way, unless another one is clearly faster; then the fastest of all."""
    usual = next(iter(timed))
    best = min(timed, key=lambda way: timed[way].median_seconds)
    limit = CLEARLY * timed[usual].median_seconds
    return best if timed[best].median_seconds < limit else usual


def applied(config: TrainConfig, way: Way) -> TrainConfig:
    """`config` with nothing left open."""
    return replace(config, channels_last=way.channels_last, precision=way.precision)


@final
class Computed(nn.Module):
    """`model`, computed in this way."""

    def __init__(self, model: nn.Module, way: Way) -> None:
        super().__init__()
        self.way = way
        self.layout = torch.channels_last if way.channels_last else torch.contiguous_format
        self.model = model.to(memory_format=self.layout)  # pyright: ignore[reportCallIssue]

    def forward(self, x: Tensor) -> Any:
        """What the model makes of it."""
        with computed_in(self.way.precision, x.device):
            return self.model(x.contiguous(memory_format=self.layout))
