"""Ways to compute a recipe's step, timed in turns here and now, and the one to take.

A step is forward pass, loss, backward pass and an update, of the recipe's own network and of a
full batch of its images. Networks are copies; weights, images and chance stay as they were.
"""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor, nn

from convlens.data.batches import Batches
from convlens.experiment.machine.compiled import compiling
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
    compiled: bool = False

    def told(self) -> str:
        """It in words.

        >>> Way(channels_last=True, precision="float32").told()
        'channels last, float32'
        """
        words = ["channels last" if self.channels_last else "contiguous", self.precision]
        return ", ".join([*words, *(["compiled"] if self.compiled else [])])


@dataclass(frozen=True, kw_only=True, slots=True)
class Tried:
    """A way, and how long its steps took."""

    way: Way
    timing: Timing
    first_seconds: float  # the first step of all, compilation included


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


def try_ways(
    model: nn.Module, batches: Batches, config: TrainConfig, chosen: Sequence[Way]
) -> list[Tried]:
    """A step of a full batch in each of these ways, all taking turns.

    Raises:
        ConfigError: torch.compile cannot; says why.
    """
    x, y = next(iter(batches.epoch(1)))
    x, y = x[: config.batch_size], y[: config.batch_size]
    with compiling():
        models = {way.told(): (Computed(deepcopy(model), way), x) for way in chosen}
        first = time_models(models, labels=y, rounds=1, warm_up=0)
        second = time_models(models, labels=y, rounds=1, warm_up=1)
        once = sum(timing.median_seconds for timing in second.values())
        rounds = min(max(int(SECONDS / once), _LEAST), _MOST)
        timed = time_models(models, labels=y, rounds=rounds, warm_up=0)
    return [
        Tried(way=way, timing=timed[name], first_seconds=first[name].median_seconds)
        for way, name in ((way, way.told()) for way in chosen)
    ]


def fastest(tried: Sequence[Tried]) -> Way:
    """The first way, unless another one is clearly faster; then the fastest of all."""
    usual, best = tried[0], min(tried, key=lambda one: one.timing.median_seconds)
    limit = CLEARLY * usual.timing.median_seconds
    return best.way if best.timing.median_seconds < limit else usual.way


@final
class Computed(nn.Module):
    """`model`, computed in this way."""

    def __init__(self, model: nn.Module, way: Way) -> None:
        super().__init__()
        self.way = way
        self.layout = torch.channels_last if way.channels_last else torch.contiguous_format
        self.model = model.to(memory_format=self.layout)  # pyright: ignore[reportCallIssue]
        if way.compiled:
            self.model.compile(dynamic=False)

    def forward(self, x: Tensor) -> Any:
        """What the model makes of it."""
        with computed_in(self.way.precision, x.device):
            return self.model(x.contiguous(memory_format=self.layout))
