"""Contention: how much longer a training takes because other programs are at work.

Threads that share an operation wait for each other at its end. Where another program has one of
the cores, the others stand still until the system gives it back, which takes milliseconds; an
operation takes microseconds. So a training on all cores beside busy programs may be slower than on
one core, many times slower than undisturbed.

Two looks: `busy_elsewhere` asks the system how much others work, in a tenth of a second.
`measure` lets small operations take turns, on one thread and on all, and compares.
"""

import os
import statistics
import time
from dataclasses import dataclass
from pathlib import Path

import torch

_SIZE = 192  # of square matrices, whose product takes as long as an operation of LeNet's
_TURNS = 10  # of one thread and all, in a measurement
_MANY = 20  # times slower; how many more is chance
_STAT = Path("/proc/stat")
_BUSY = (0, 1, 2, 5, 6, 7)  # of a line of /proc/stat: user, nice, system, irq, softirq, steal
_MUCH = 0.5  # of a core, of other programs: less comes and goes on any machine
_SLOWER = 1.5  # from so many times as long on, a person is told


@dataclass(frozen=True, kw_only=True, slots=True)
class Contention:
    """How much longer small products took on average than the quickest of all."""

    threads: int
    one_thread: float  # times
    all_threads: float  # times

    @property
    def disturbed(self) -> bool:
        """Whether a person should know."""
        return self.threads > 1 and self.all_threads >= _SLOWER

    @property
    def all_over_one(self) -> float:
        """The mean time on all threads by that on one."""
        return self.all_threads / self.one_thread

    @property
    def advice(self) -> str:
        """What to do, "" if there is nothing."""
        if not self.disturbed:
            return ""
        if self.all_over_one > 1:
            return "close them, or train on one thread: OMP_NUM_THREADS=1"
        return "close them, or set OMP_WAIT_POLICY=passive"

    def told(self) -> str:
        """It in words.

        >>> Contention(threads=2, one_thread=1.0, all_threads=0.6).told()
        'none that disturbs: 2 threads take 0.6 times as long as one'
        """
        beside = f"{self.threads} threads take {self.all_over_one:.1f} times as long as one"
        if not self.disturbed:
            return f"none that disturbs: {beside}" if self.threads > 1 else "one thread: no matter"
        factor = self.all_threads
        times = f"{factor:.0f} times" if factor < _MANY else f"more than {_MANY} times"
        return f"other programs are running: training may be {times} slower; {beside}"


def measure(seconds: float = 0.3) -> Contention:
    """How small operations fare here and now, in about so many seconds.

    The number of threads is changed meanwhile, so no other thread should compute.
    """
    threads, x = torch.get_num_threads(), torch.ones(_SIZE, _SIZE)
    times: dict[int, list[float]] = {1: [], threads: []}
    try:
        with torch.inference_mode():
            for number in [1, threads] * _TURNS:
                torch.set_num_threads(number)
                x.mm(x)  # starts the threads
                ends = time.perf_counter() + seconds / (2 * _TURNS)
                while (began := time.perf_counter()) < ends:
                    x.mm(x)
                    times[number].append(time.perf_counter() - began)
    finally:
        torch.set_num_threads(threads)
    quickest = min(map(min, times.values()))
    return Contention(
        threads=threads,
        one_thread=statistics.fmean(times[1]) / quickest,
        all_threads=statistics.fmean(times[threads]) / quickest,
    )


def busy_elsewhere(seconds: float = 0.1) -> float | None:
    """How many of this process's cores other programs have kept busy, on average; None: unknown."""
    cores = _cores()
    if not cores:
        return None
    busy, own, began = _busy_seconds(cores), time.process_time(), time.perf_counter()
    time.sleep(seconds)
    others = _busy_seconds(cores) - busy - (time.process_time() - own)
    return min(max(others / (time.perf_counter() - began), 0.0), float(len(cores)))


def busy_note(busy: float | None, *, threads: int, cores: int) -> str:
    """What to say before a training beside programs that keep `busy` cores, "" if nothing.

    >>> busy_note(0.1, threads=2, cores=2), busy_note(3.0, threads=2, cores=8)
    ('', '')
    >>> busy_note(1.0, threads=2, cores=2)
    'other programs keep 1.0 of 2 cores busy, which can make training several times slower: close \
them, or see convlens doctor'
    """
    if busy is None or busy < _MUCH or busy + threads <= cores:
        return ""
    return (
        f"other programs keep {busy:.1f} of {cores} cores busy, which can make training several "
        "times slower: close them, or see convlens doctor"
    )


def note_now(processes: int = 1) -> str:
    """`busy_note` of this machine as it is now, before a training by so many processes on it."""
    threads = processes * torch.get_num_threads()
    return busy_note(busy_elsewhere(), threads=threads, cores=len(_cores()))


def _cores() -> set[int]:
    """The cores that this process may use; none where the system does not tell what they do."""
    known = _STAT.exists() and hasattr(os, "sched_getaffinity")
    return os.sched_getaffinity(0) if known else set()


def _busy_seconds(cores: set[int]) -> float:
    """How long these cores have worked since the machine started."""
    ticks = 0
    for line in _STAT.read_text(encoding="utf-8").splitlines():
        name, *numbers = line.split()
        if name.startswith("cpu") and name[3:].isdigit() and int(name[3:]) in cores:
            ticks += sum(int(numbers[index]) for index in _BUSY)
    return ticks / os.sysconf("SC_CLK_TCK")
