"""Devices by the book's names, and its stopwatch.

Source: d2l 6.7 (devices) and 12 (the stopwatch), https://d2l.ai/chapter_builders-guide/use-gpu.html.
Differs from d2l: Apple's GPU counts as one, and `try_all_gpus` gives the CPU where there is none.
"""

import itertools
import time
from typing import final

import torch


def cpu() -> torch.device:
    """The CPU.

    >>> cpu()
    device(type='cpu')
    """
    return torch.device("cpu")


def gpu(i: int = 0) -> torch.device:
    """The i-th GPU by name: CUDA's, or Apple's where only that is there."""
    if not torch.cuda.is_available() and torch.backends.mps.is_available():
        return torch.device("mps", i)
    return torch.device("cuda", i)


def num_gpus() -> int:
    """How many GPUs there are."""
    return torch.cuda.device_count() or int(torch.backends.mps.is_available())


def try_gpu(i: int = 0) -> torch.device:
    """The i-th GPU, or the CPU where it is missing."""
    return gpu(i) if i < num_gpus() else cpu()


def try_all_gpus() -> list[torch.device]:
    """All GPUs, or the CPU where there is none."""
    return [gpu(i) for i in range(num_gpus())] or [cpu()]


@final
class Timer:
    """A stopwatch, running from the start, with the seconds of each lap in `times`."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.start()

    def start(self) -> None:
        """Begin a lap."""
        self.tik = time.perf_counter()

    def stop(self) -> float:
        """End the lap; its seconds."""
        self.times.append(time.perf_counter() - self.tik)
        return self.times[-1]

    def avg(self) -> float:
        """The mean seconds of a lap."""
        return sum(self.times) / len(self.times)

    def sum(self) -> float:
        """The seconds of all laps."""
        return sum(self.times)

    def cumsum(self) -> list[float]:
        """The seconds from the first lap's start to the end of each."""
        return list(itertools.accumulate(self.times))
