"""The device of each of several processes."""

import torch

from convlens.core.errors import ConfigError
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
