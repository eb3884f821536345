"""What a recipe leaves to the machine, settled before anything is written.

The answer goes into the run's own recipe, so that a run that is resumed or repeated computes in
the same way wherever it goes on.
"""

from dataclasses import replace

import torch
from torch import nn

from convlens.core.errors import ConfigError
from convlens.data.batches import Batches
from convlens.experiment.machine.compiled import refuse_without_compiler
from convlens.experiment.machine.probe import Tried, fastest, try_ways, ways
from convlens.train.events import Settled
from convlens.train.machine.precision import refuse_imitation
from convlens.train.optim import TrainConfig


def refuse_what_this_machine_lacks(
    config: TrainConfig, device: torch.device, processes: int = 1
) -> None:
    """Refuse settings that so many processes here cannot keep, or not at a bearable speed.

    Raises:
        ConfigError: bfloat16 without hardware for it; compilation without a compiler, or by several
            processes.
    """
    refuse_imitation(config.precision, device)
    if config.compile and processes > 1:
        raise ConfigError(
            "train.compile: with several processes steps are not compiled, "
            "since they exchange numbers within a step",
            fix="train in one process, or leave train.compile out",
        )
    if config.compile:
        refuse_without_compiler(device)


def settle(
    config: TrainConfig, model: nn.Module, batches: Batches
) -> tuple[TrainConfig, Settled | None]:
    """`config` with nothing left open, and what was settled, if anything was.

    The model, the images and chance are left as they were.
    """
    if "auto" not in (config.channels_last, config.precision):
        return config, None
    open_ways = ways(config, batches.data.images.device)
    tried: list[Tried] = []
    chosen = open_ways[0]
    if len(open_ways) > 1:
        tried = try_ways(model, batches, config, open_ways)
        chosen = fastest(tried)
    settled = replace(config, channels_last=chosen.channels_last, precision=chosen.precision)
    return settled, Settled(
        channels_last=chosen.channels_last,
        precision=chosen.precision,
        step_seconds={one.way.told(): one.timing.median_seconds for one in tried},
    )
