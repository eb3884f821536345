"""A training by several processes: which device each has, and what is done again after a fall.

Process 0 makes the run folder and alone writes there. If one process dies, `torchrun` starts all of
them anew; then process 0 finds the folder by the name of the launch, and all go on from its
newest checkpoint.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from convlens.core.errors import ConfigError
from convlens.runs.store import Run, list_runs
from convlens.train.optim import choose_device
from convlens.train.parallel.world import World


def device_for(name: str, world: World) -> torch.device:
    """The device of this process: the one called `name`, or of several GPUs its own.

    Raises:
        ConfigError: no such device here, or not one for each process.
    """
    if world.alone:
        return choose_device(name)
    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not gpus):
        return torch.device("cpu")
    if name not in ("auto", "cuda"):
        raise ConfigError(
            f"train.device: {name!r} is one device, and there are {world.size} processes",
            fix="say --device cuda, and each process has a GPU of its own, or --device cpu",
        )
    if world.local_rank >= gpus:
        raise ConfigError(
            f"train.device: {gpus} GPUs here, and more processes", fix="fewer, or say --device cpu"
        )
    torch.cuda.set_device(world.local_rank)
    return torch.device("cuda", world.local_rank)


def run_of_launch(launch: str, out: Path) -> Run | None:
    """The run in `out` that this launch has begun, if it has come so far."""
    for run in reversed(list_runs(out)):
        if run.read_json("provenance.json").get("launch") == launch:
            return run
    return None


def restart_note(restarts: int) -> str:
    """What to know of processes that were started anew."""
    return f"a process died, so all were started again (restart {restarts})"


def differs(origin: Mapping[str, Any], here: Mapping[str, Any]) -> str:
    """What another number of processes means for a run, or "".

    >>> differs({}, {"processes": 2})
    'processes: 2 here, 1 before; the last bits may differ, and dropout draws anew'
    """
    before, now = origin.get("processes", 1), here.get("processes", 1)
    if before == now:
        return ""
    what = "the last bits may differ, and dropout draws anew"
    return f"processes: {now} here, {before} before; {what}"
