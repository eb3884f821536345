"""Large buffers are kept for the next step instead of being given back to the system.

A training step asks for the same large buffers as the step before. By default glibc's `malloc`
gives a large one back to the system when it is freed, and takes it anew: each page of it is then
filled with zeros and faulted in, at every step. Two of its parameters stop that, for the whole
process and from then on: M_MMAP_THRESHOLD, the size from which a buffer is a mapping of its own,
and M_TRIM_THRESHOLD, the free room at the end of the heap from which some is given back.

The price is memory: what the process has once needed it keeps until it ends. `docs/machine.md`
has both in numbers. This module knows no torch, so that the command line can call it before.

Source: mallopt(3), https://man7.org/linux/man-pages/man3/mallopt.3.html.
"""

import ctypes
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

SWITCH = "CONVLENS_KEEP_BUFFERS"  # an environment variable; 0 leaves the allocator alone
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of malloc.h
_NEVER = 2**31 - 1  # bytes: the largest int
_LARGEST = (2**30, 2**25)  # bytes; the second is what older releases of glibc allow
_OFF = ("0", "no", "false", "off")
_PARAMETERS = ("MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_", "MALLOC_TOP_PAD_")
_OTHERS = ("tcmalloc", "jemalloc", "mimalloc")  # allocators that take malloc's place


@dataclass(frozen=True, slots=True)
class Kept:
    """Whether large buffers are kept by this process, and why or why not."""

    kept: bool
    why: str


def keep_buffers() -> Kept:
    """Keep large buffers from now on, unless something speaks against it; safe to call again."""
    refusal = reason_against(os.environ)
    if refusal:
        return Kept(False, refusal)
    libc = _glibc()
    if libc is None:
        return Kept(False, "the allocator is not glibc's")
    taken = any(libc.mallopt(_M_MMAP_THRESHOLD, size) for size in _LARGEST)
    if not (taken and libc.mallopt(_M_TRIM_THRESHOLD, _NEVER)):
        return Kept(False, "glibc has refused")
    return Kept(True, f"{SWITCH}=0 gives them back")


def reason_against(environment: Mapping[str, str]) -> str:
    """What in the environment says that the allocator is to be left alone, "" if nothing does.

    >>> reason_against({"CONVLENS_KEEP_BUFFERS": "0"})
    'CONVLENS_KEEP_BUFFERS=0'
    >>> reason_against({"LD_PRELOAD": "/usr/lib/libtcmalloc_minimal.so.4"})
    'tcmalloc is loaded in its place'
    """
    said = environment.get(SWITCH, "").strip()
    if said.lower() in _OFF:
        return f"{SWITCH}={said}"
    for name in _PARAMETERS:
        if name in environment:
            return f"{name} is set already"
    if "glibc.malloc." in environment.get("GLIBC_TUNABLES", ""):
        return "GLIBC_TUNABLES is set already"
    for name in _OTHERS:
        if name in environment.get("LD_PRELOAD", ""):
            return f"{name} is loaded in its place"
    return ""


def _glibc() -> ctypes.CDLL | None:
    """The C library of this process if it is glibc, which alone has this function as we mean it."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "gnu_get_libc_version") and hasattr(libc, "mallopt") else None
