"""Denormals are zeros inside, in every thread, and what they were outside."""

import subprocess
import sys

import pytest
import torch

from convlens.train.machine.denormals import flushed_share, flushes, flushing_denormals

CAN = torch.set_flush_denormal(True)
torch.set_flush_denormal(False)
needs_flushing = pytest.mark.skipif(not CAN, reason="this processor cannot flush denormals")
WARM_WORKERS = """
import torch
from convlens.train.machine.denormals import flushed_share, flushing_denormals
torch.set_num_threads(2)
shares = [flushed_share()]
with flushing_denormals():
    shares.append(flushed_share())
    assert torch.get_num_threads() == 2
shares.append(flushed_share())
print(shares)
"""


@needs_flushing
def test_inside_they_are_zeros_and_afterwards_as_before() -> None:
    assert not flushes()
    with flushing_denormals():
        assert flushes()
        with flushing_denormals():
            assert flushes()
        assert flushes()
    assert not flushes()


@needs_flushing
def test_an_error_leaves_them_as_before() -> None:
    with pytest.raises(KeyError), flushing_denormals():
        raise KeyError
    assert not flushes()


def test_unwanted_nothing_changes() -> None:
    with flushing_denormals(False):
        assert flushed_share() == 0


@needs_flushing
@pytest.mark.skipif(sys.platform != "linux", reason="the workers of GNU's OpenMP are on Linux")
@pytest.mark.processes
def test_workers_that_are_there_already_flush_too_and_stop_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WARM_WORKERS], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[0.0, 1.0, 0.0]"
