"""Fair timing: contestants take turns, and only neighbours in time are compared.

A machine drifts: clocks fall, another job wakes. So nobody is timed alone. Contestants run
A B C A B C in one session, each ratio is taken between two turns of the same round, and what is
reported is the median with its spread, never the best.
"""

import os
import platform
import re
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch

from convlens.runs.provenance import cpu_name

T = TypeVar("T")
BUSY_LOAD = 0.3  # a load average above this means that something else is running


@dataclass(frozen=True, kw_only=True, slots=True)
class Spread:
    """Where some measurements lie."""

    n: int
    low: float
    q1: float
    median: float
    q3: float
    high: float


def spread(values: Sequence[float]) -> Spread:
    """Median, quartiles and extremes of `values`; at least one.

    >>> spread([5.0, 1.0, 2.0, 4.0, 3.0])
    Spread(n=5, low=1.0, q1=2.0, median=3.0, q3=4.0, high=5.0)
    """
    if len(values) == 1:
        q1 = median = q3 = values[0]
    else:
        q1, median, q3 = statistics.quantiles(values, n=4, method="inclusive")
    return Spread(n=len(values), low=min(values), q1=q1, median=median, q3=q3, high=max(values))


def ratios(numerators: Sequence[float], denominators: Sequence[float]) -> list[float]:
    """The ratio of each round, not of two medians that may come from different moments.

    >>> ratios([6.0, 8.0], [2.0, 4.0])
    [3.0, 2.0]
    """
    return [a / b for a, b in zip(numerators, denominators, strict=True)]


def take_turns(
    contestants: Mapping[str, Callable[[], T]],
    rounds: int,
    *,
    warm_up: int = 0,
    tell: Callable[[int, Mapping[str, T]], None] | None = None,
) -> dict[str, list[T]]:
    """What each contestant returned in each of `rounds` rounds, all taking turns in order.

    Args:
        warm_up: rounds that come first and are not kept.
        tell: is given the number of each kept round, from 1, and its results.
    """
    results: dict[str, list[T]] = {name: [] for name in contestants}
    for number in range(1 - warm_up, rounds + 1):
        latest = {name: turn() for name, turn in contestants.items()}
        if number < 1:
            continue
        for name, result in latest.items():
            results[name].append(result)
        if tell is not None:
            tell(number, latest)
    return results


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What was measured on, as far as it decides a timing."""

    cpu: str
    cores: int  # that this process may use
    capability: str  # the vector instructions that torch uses
    threads: int  # torch's, within one operation
    system: str
    python: str
    torch: str
    load: float | None  # the load average of the last minute, before anything was measured

    @property
    def slug(self) -> str:
        """The hardware, without its software, as a file name."""
        cpu = re.sub(r"\((r|tm)\)| cpu\b| processor\b| @.*?(?=,|$)", "", self.cpu.lower())
        words = re.findall(r"[a-z0-9]+", f"{cpu} {self.cores} cores {self.capability.lower()}")
        return "-".join(words)

    @property
    def hardware(self) -> str:
        """The hardware in a line."""
        return f"{self.cpu}, {self.cores} cores, {self.capability}"

    @property
    def software(self) -> str:
        """The software in a line."""
        return f"Python {self.python}, torch {self.torch}, {self.threads} threads, {self.system}"

    @property
    def busy(self) -> bool:
        """Something else was running before the first measurement."""
        return self.load is not None and self.load > BUSY_LOAD


def this_machine() -> Machine:
    """The machine that this process runs on."""
    affinity = hasattr(os, "sched_getaffinity")
    return Machine(
        cpu=", ".join(filter(None, (cpu_name(), _family()))),
        cores=len(os.sched_getaffinity(0)) if affinity else os.cpu_count() or 1,
        capability=torch.backends.cpu.get_cpu_capability(),
        threads=torch.get_num_threads(),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        torch=torch.__version__,
        load=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
    )


def cpu_family(cpuinfo: str) -> str:
    """Family and model of the first processor in `/proc/cpuinfo`, "" where it names none.

    A virtual machine often calls itself no more than "AMD EPYC"; these tell generations apart.

    >>> cpu_family("cpu family : 25\\nmodel : 17\\nmodel name : AMD EPYC")
    'family 25 model 17'
    """
    found = {
        key.strip(): value.strip()
        for key, _, value in (line.partition(":") for line in reversed(cpuinfo.splitlines()))
    }
    if "cpu family" not in found or "model" not in found:
        return ""
    return f"family {found['cpu family']} model {found['model']}"


def _family() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    return cpu_family(cpuinfo.read_text(errors="replace")) if cpuinfo.exists() else ""
