"""A learning rate found by trying: the rate rises at each step, and the loss is watched.

At first the loss hardly moves, then it falls, then it rises again or breaks. The suggestion is a
tenth of the rate at which the smoothed loss is lowest: there it still falls, and there is room.

Source: Smith (2015), https://arxiv.org/abs/1506.01186, section 3.3, of the sweep; the rule of the
tenth is fastai's, https://docs.fast.ai/callback.schedule.html.
"""

import math
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import nn

from convlens.core.errors import ConfigError
from convlens.data.batches import Batches
from convlens.train.optim import TrainConfig
from convlens.train.optim.build import set_learning_rate
from convlens.train.task import Classification

SMOOTHING = 0.9  # the share of the smoothed loss that stays at each step
BROKEN = 4.0  # a smoothed loss so many times the lowest ends the sweep


@final
@dataclass(frozen=True, kw_only=True, slots=True)
class Sweep:
    """The rates that were tried, rising, and the losses before their steps; all of one length."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]

    @property
    def lowest(self) -> float:
        """The rate at which the smoothed loss is lowest."""
        return self.rates[self.smoothed.index(min(self.smoothed))]

    @property
    def suggestion(self) -> float:
        """A tenth of that, to two digits."""
        return float(f"{self.lowest / 10:.1e}")


def rates_between(low: float, high: float, num_steps: int) -> list[float]:
    """Rates from `low` to `high`, each the same number of times the one before.

    >>> [round(rate, 6) for rate in rates_between(0.001, 0.1, 3)]
    [0.001, 0.01, 0.1]

    Raises:
        ConfigError: the rates do not rise, or are fewer than two.
    """
    if not 0 < low < high:
        raise ConfigError(f"the learning rate must rise from above 0, not from {low:g} to {high:g}")
    if num_steps < 2:
        raise ConfigError(f"a sweep has two steps at least, not {num_steps}")
    ratio = (high / low) ** (1 / (num_steps - 1))
    return [low * ratio**step for step in range(num_steps)]


def sweep(
    model: nn.Module,
    batches: Batches,
    config: TrainConfig,
    *,
    low: float = 1e-6,
    high: float = 10.0,
    num_steps: int = 200,
) -> Sweep:
    """Train a copy of `model` for `num_steps` rising rates, or until the loss breaks.

    The steps are those of `config`, but for the schedule. Model, images and chance are left as
    they were.

    Raises:
        ConfigError: the rates do not rise, or are fewer than two.
    """
    wanted = rates_between(low, high, num_steps)
    rates: list[float] = []
    losses: list[float] = []
    smoothed: list[float] = []
    average = 0.0
    with torch.random.fork_rng():
        task = Classification(deepcopy(model), batches, batches, config)
        for rate, batch in zip(wanted, _endless(task), strict=False):
            set_learning_rate(task.sgd, rate)
            loss = task.gradient(batch).item()
            if not math.isfinite(loss):
                break
            average = SMOOTHING * average + (1 - SMOOTHING) * loss
            rates.append(rate)
            losses.append(loss)
            smoothed.append(average / (1 - SMOOTHING ** len(rates)))  # as if it had started there
            if smoothed[-1] > BROKEN * min(smoothed):
                break
            with torch.no_grad():
                task.before_update()
                task.optimizer.step()
    if not rates:
        raise ConfigError("the loss is not finite before the first step")
    return Sweep(rates=tuple(rates), losses=tuple(losses), smoothed=tuple(smoothed))


def _endless(task: Classification) -> Iterator[Any]:
    epoch = 1
    while True:
        yield from task.epoch(epoch)
        epoch += 1
