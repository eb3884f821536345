"""The steps of a training compiled by torch.compile, before its clock starts.

Forward and backward pass of a full batch are compiled. A smaller one, at the end of an epoch, runs
as ever, for it would have to be compiled on its own; validation and test run as ever, too, so that
a run's accuracy is the one that its weights have wherever they are loaded. Weights keep their
names, and a training that goes on is compiled again.

Source: torch.compile, https://docs.pytorch.org/docs/stable/generated/torch.compile.html.
"""

import os
import shutil
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, final

import torch
from torch import nn

from convlens.core.errors import ConfigError
from convlens.core.shapes import Batch
from convlens.experiment.memory import is_shortage
from convlens.inspection.training.restore import trained_in_vain
from convlens.train.events import Compiled
from convlens.train.task import Classification, LabelledBatch

_COMPILERS = ("g++", "clang++", "c++", "cl")


def refuse_without_compiler(device: torch.device) -> None:
    """Refuse to compile for a CPU where there is no C++ compiler.

    Raises:
        ConfigError: there is none; says how to get one.
    """
    named = os.environ.get("CXX", "")
    if device.type != "cpu" or any(map(shutil.which, (*named.split()[:1], *_COMPILERS))):
        return
    raise ConfigError(
        "train.compile: torch.compile needs a C++ compiler, and there is none here",
        fix="install one (Debian, Ubuntu: apt install g++; macOS: xcode-select --install),\n"
        "or leave train.compile out",
    )


def compile_steps(task: Classification) -> Compiled:
    """Compile what a step of `task` calls; model, optimiser and chance are left as they were.

    Raises:
        ConfigError: torch.compile cannot; says why.
    """
    x, y = next(iter(task.train.epoch(1)))
    x, y = x[: task.config.batch_size], y[: task.config.batch_size]
    task.network = _Network(task.model, num_images=len(y))
    with trained_in_vain(task.model), compiling():
        task.model.train()
        first, second = (_gradient_seconds(task, (x, y)) for _ in range(2))
    return Compiled(seconds=max(first - second, 0.0))


@final
class _Network:
    """A model, compiled for batches of so many images; others go through it as ever."""

    def __init__(self, model: nn.Module, num_images: int) -> None:
        self.model, self.num_images = model, num_images
        self.compiled = torch.compile(model, dynamic=False)

    def __call__(self, x: Batch) -> Any:
        network = self.compiled if len(x) == self.num_images else self.model
        return network(x)


@contextmanager
def compiling() -> Generator[None]:
    """Inside, what torch.compile cannot do becomes a ConfigError, and its warnings are not told."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of its own doings, about which none can do much
        try:
            yield
        except RuntimeError as error:
            if is_shortage(error):
                raise
            reason = str(error).strip().splitlines()[0]
            raise ConfigError(
                f"train.compile: torch.compile has failed: {reason}",
                fix="leave it out: --set train.compile=false",
            ) from error


def _gradient_seconds(task: Classification, part: LabelledBatch) -> float:
    started = time.perf_counter()
    task.loss(part).backward()
    if task.device.type == "cuda":
        torch.cuda.synchronize(task.device)
    return time.perf_counter() - started
