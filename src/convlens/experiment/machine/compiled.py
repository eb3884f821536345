"""The steps of a training compiled by torch.compile, before its clock starts.

Forward and backward pass are compiled, for each size of batch that occurs. The validation and the
test run as ever: so a run's accuracy is the one that its weights have wherever they are loaded.
Weights keep their names, and a training that goes on is compiled again.

Source: torch.compile, https://docs.pytorch.org/docs/stable/generated/torch.compile.html.
"""

import os
import shutil
import time
import warnings
from collections.abc import Generator
from contextlib import contextmanager

import torch
from torch import Tensor

from convlens.core.errors import ConfigError
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
    task.network = torch.compile(task.model, dynamic=False)
    seconds, sizes = 0.0, 0
    for part in _kinds_of_parts(task):
        with trained_in_vain(task.model), compiling():
            task.model.train()
            first = _gradient_seconds(task, part)
            seconds += first - min(_gradient_seconds(task, part), first)
        sizes += 1
    return Compiled(seconds=seconds, num_sizes=sizes)


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


def _kinds_of_parts(task: Classification) -> list[LabelledBatch]:
    """A part of a batch for each number of images that goes through the network at once."""
    found: dict[tuple[int, torch.dtype], tuple[Tensor, Tensor]] = {}
    for start in {0, task.num_steps - 1}:
        x, y = next(iter(task.train.epoch(1, start=start)))
        size = task.config.batch_size
        for part in zip(x.split(size), y.split(size), strict=True):
            found.setdefault((len(part[1]), part[1].dtype), part)
    return list(found.values())


def _gradient_seconds(task: Classification, part: LabelledBatch) -> float:
    started = time.perf_counter()
    task.loss(part).backward()
    if task.device.type == "cuda":
        torch.cuda.synchronize(task.device)
    return time.perf_counter() - started
