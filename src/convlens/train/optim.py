"""Optimiser and learning rate from settings."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from pydantic import NonNegativeFloat, NonNegativeInt, PositiveFloat, PositiveInt
from torch import nn

from convlens.core.config import Fraction
from convlens.core.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class TrainConfig:
    """How to train; the defaults are the book's recipe for LeNet (7.6)."""

    epochs: PositiveInt = 10  # passes over the training images
    batch_size: PositiveInt = 128  # images per step
    lr: PositiveFloat = 0.1  # the learning rate, at its highest
    schedule: Literal["constant", "one-cycle"] = "constant"  # of the learning rate, by step
    warmup: Fraction = 0.2  # of all steps, rising from 0 to lr, in one-cycle
    momentum: Fraction = 0.0
    nesterov: bool = False
    weight_decay: NonNegativeFloat = 0.0  # on weights, not on biases
    seed: NonNegativeInt = 0  # of initial weights and shuffling
    device: str = "auto"  # cpu, cuda, cuda:1, mps; auto: the first GPU, else the CPU
    channels_last: bool = True  # memory layout of images and filters; faster on most machines
    log_every: PositiveInt = 50  # steps between two records of the training loss
    checkpoint_seconds: NonNegativeFloat = 60.0  # between checkpoints; 0: at epochs' ends only

    def __post_init__(self) -> None:
        if self.nesterov and not self.momentum:
            raise ConfigError("train.nesterov: needs train.momentum above 0")


def choose_device(name: str) -> torch.device:
    """The device called `name`; "auto" is a CUDA GPU, else Apple's, else the CPU.

    Raises:
        ConfigError: no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).tolist()  # fails on "meta" too, which holds no numbers
    except (RuntimeError, AssertionError, ImportError):
        raise ConfigError(
            f"train.device: no device {name!r} here", fix="leave it out, or say --device cpu"
        ) from None
    return device


def build_optimizer(model: nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """Stochastic gradient descent on all parameters, decay on those with more than one axis."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.SGD(
        [
            {
                "params": [p for p in parameters if p.ndim > 1],
                "weight_decay": config.weight_decay,
            },
            {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
        ],
        lr=config.lr,
        momentum=config.momentum,
        nesterov=config.nesterov,
    )


def learning_rate(config: TrainConfig, step: int, num_steps: int) -> float:
    """The learning rate of step `step` of `num_steps`, counted from 0.

    "one-cycle" rises in a straight line over the warm-up and falls in a straight line to
    zero after the last step.

    >>> config = TrainConfig(lr=1.0, schedule="one-cycle", warmup=0.5)
    >>> [learning_rate(config, step, 4) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    if config.schedule == "constant":
        return config.lr
    rising = math.ceil(config.warmup * num_steps)
    if step < rising:
        return config.lr * (step + 1) / rising
    return config.lr * (num_steps - step) / (num_steps - rising)
