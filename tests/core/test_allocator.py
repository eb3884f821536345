"""Large buffers are kept where that is possible and nobody objects."""

import subprocess
import sys

import pytest

from convlens.core import allocator
from convlens.core.allocator import Kept, keep_buffers, reason_against

GLIBC = sys.platform == "linux" and allocator._glibc() is not None  # pyright: ignore[reportPrivateUsage]
needs_glibc = pytest.mark.skipif(not GLIBC, reason="only glibc can be asked to keep buffers")
FAULTS = """
import resource, sys
from convlens.core.allocator import keep_buffers
keep_buffers()
import torch
def step():
    for _ in range(4):
        torch.ones(10_000_000)
step()
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(5):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.parametrize(
    ("environment", "reason"),
    [
        ({}, ""),
        ({"CONVLENS_KEEP_BUFFERS": "1", "LD_PRELOAD": "/lib/libm.so"}, ""),
        ({"CONVLENS_KEEP_BUFFERS": "no"}, "CONVLENS_KEEP_BUFFERS=no"),
        ({"MALLOC_TRIM_THRESHOLD_": "1"}, "MALLOC_TRIM_THRESHOLD_ is set already"),
        ({"GLIBC_TUNABLES": "glibc.malloc.perturb=1"}, "GLIBC_TUNABLES is set already"),
        ({"GLIBC_TUNABLES": "glibc.pthread.rseq=0"}, ""),
        ({"LD_PRELOAD": "/lib/libjemalloc.so.2"}, "jemalloc is loaded in its place"),
    ],
)
def test_what_a_person_has_set_is_left_alone(environment: dict[str, str], reason: str) -> None:
    assert reason_against(environment) == reason


def test_an_objection_is_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVLENS_KEEP_BUFFERS", "0")
    assert keep_buffers() == Kept(False, "CONVLENS_KEEP_BUFFERS=0")


def test_another_c_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CONVLENS_KEEP_BUFFERS", raising=False)
    monkeypatch.setattr(allocator.sys, "platform", "darwin")
    assert not keep_buffers().kept


@needs_glibc
def test_a_refusal_of_glibc_is_told_and_a_smaller_size_is_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, int]] = []

    class Library:
        def mallopt(self, parameter: int, value: int) -> int:
            asked.append((parameter, value))
            return int((parameter, value) == (-3, 2**25))

    monkeypatch.setattr(allocator, "_glibc", Library)
    assert keep_buffers() == Kept(False, "glibc has refused")
    assert asked == [(-3, 2**30), (-3, 2**25), (-1, 2**31 - 1)]


@needs_glibc
@pytest.mark.processes
def test_kept_buffers_are_not_faulted_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Five steps of four buffers of 40 MB, more than glibc ever learns to keep by itself."""
    faults: dict[str, int] = {}
    for switch in ("0", "1"):
        monkeypatch.setenv("CONVLENS_KEEP_BUFFERS", switch)
        done = subprocess.run(
            [sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True
        )
        faults[switch] = int(done.stdout)
    assert faults["1"] * 10 < faults["0"]
