"""A turn on the board: one recipe trained with one seed by the command that a person types.

It runs in a process of its own, and what other processes did meanwhile is measured beside it, so
that a time taken on a busy machine is known as such. The accuracy does not depend on that.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUSY = 0.1  # cores that others used on average, above which a time is not counted
_PROC_STAT = Path("/proc/stat")


@dataclass(frozen=True, kw_only=True, slots=True)
class Turn:
    """What one training gave."""

    seed: int
    accuracy: float  # of the test images, in [0, 1]
    mirrored: float  # the same, averaged over each image and its mirror image
    train_seconds: float  # in the steps alone
    seconds: float  # of the whole command
    others: float | None  # cores that other processes used on average; None: not known here

    @property
    def undisturbed(self) -> bool:
        """The times count."""
        return self.others is None or self.others <= BUSY


def take_turn(recipe: str, seed: int, folder: Path) -> Turn:
    """Train and test `recipe` with this seed into a run folder under `folder`.

    Raises:
        subprocess.CalledProcessError: the command failed; what it said is in `stderr`.
    """
    busy, own, began = busy_seconds(), _children_seconds(), time.perf_counter()
    trained = _convlens("train", recipe, "--seed", str(seed), "--out", str(folder), "--quiet")
    seconds = time.perf_counter() - began
    others = None
    if busy is not None and (after := busy_seconds()) is not None:
        others = max(0.0, after - busy - (_children_seconds() - own)) / seconds
    tested = _convlens("evaluate", trained["run"], "--tta", "mirror")
    return Turn(
        seed=seed,
        accuracy=tested["accuracy"],
        mirrored=tested["tta"]["accuracy"],
        train_seconds=trained["train_seconds"],
        seconds=seconds,
        others=others,
    )


def busy_seconds(stat: Path = _PROC_STAT) -> float | None:
    """How long this machine's cores have worked, all together, since it started.

    Time that a host took from a virtual machine counts; None where the system does not tell.
    """
    if not stat.exists():
        return None
    user, nice, system, _, _, irq, softirq, steal = map(int, stat.read_text().split()[1:9])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def _children_seconds() -> float:
    """How long the processes that this one has waited for have worked."""
    times = os.times()
    return times.children_user + times.children_system


def _convlens(*arguments: str) -> Mapping[str, Any]:
    command = [sys.executable, "-m", "convlens", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)
