"""Denormals, numbers below 1.2e-38, as zeros: an operation on one may take many times as long.

They come by themselves: the momentum of a weight whose gradient has become zero shrinks at each
step until it is one. Torch has the switch, `torch.set_flush_denormal`, for the thread that calls
it. A thread that is started later takes it over; one that is there already does not. The workers
of GNU's OpenMP are there from the first large operation on, so half of a tensor would be flushed
and half not, depending on what the process did before. So they are sent home here, and the next
operation starts new ones. LLVM's OpenMP hands the switch to its workers at each operation.

Source: torch.set_flush_denormal, https://docs.pytorch.org/docs/stable/generated/torch.set_flush_denormal.html;
omp_pause_resource_all of OpenMP 5.0, https://www.openmp.org/spec-html/5.0/openmpsu155.html.
"""

import ctypes
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import torch

_SOFT = 1  # omp_pause_soft: the workers end, settings of the library may stay
_PER_THREAD = 1 << 17  # numbers: more than torch gives one thread when there are more of them


@contextmanager
def flushing_denormals(wanted: bool = True) -> Generator[None]:
    """Inside, in this thread and its OpenMP workers, denormals are zeros; then as before.

    Not `wanted`, or where the processor cannot, nothing changes.
    """
    before = flushes()
    if not (wanted and torch.set_flush_denormal(True)):
        yield
        return
    _renew_workers()
    try:
        yield
    finally:
        if not before:
            torch.set_flush_denormal(False)
            _renew_workers()


def flushes() -> bool:
    """Whether this thread takes denormals as zeros.

    >>> with flushing_denormals(False):
    ...     flushes()
    False
    """
    return flushed_share(1) == 1


def flushed_share(num_numbers: int | None = None) -> float:
    """The share of denormal results that become zeros: 1 if all threads flush them."""
    count = num_numbers or _PER_THREAD * torch.get_num_threads()
    return (torch.full((count,), 1e-30) * 1e-10 == 0).double().mean().item()


def _renew_workers() -> None:
    """End the OpenMP workers of this thread; the next large operation starts new ones."""
    num_threads = torch.get_num_threads()
    for library in _gnu_libraries():
        pause = getattr(ctypes.CDLL(library), "omp_pause_resource_all", None)
        if pause is not None:  # since GCC 9
            pause(_SOFT)
    torch.set_num_threads(num_threads)  # which the library may have forgotten


def _gnu_libraries() -> set[str]:
    """The files of GNU's OpenMP in this process: torch's, and perhaps that of compiled code."""
    maps = Path("/proc/self/maps")
    if not maps.exists():
        return set()
    lines = maps.read_text(encoding="utf-8", errors="replace").splitlines()
    paths = {line.split(maxsplit=5)[5] for line in lines if "libgomp" in line}
    return {path for path in paths if Path(path).exists()}
