"""Too little memory for a training: how it shows, and the batch that would probably fit."""

from pathlib import Path

import torch

from convlens.core.errors import OutOfMemory
from convlens.experiment.recipe import Recipe
from convlens.inspection.training.memory import training_memory
from convlens.models.catalog import build

_SIGNS = ("not enough memory", "can't allocate memory", "out of memory")  # of torch's allocators


def is_shortage(error: Exception) -> bool:
    """Whether `error` says that memory has run out.

    >>> is_shortage(MemoryError()), is_shortage(RuntimeError("shape '[2]' is invalid"))
    (True, False)
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def training_shortage(recipe: Recipe, device: torch.device) -> OutOfMemory:
    """The error of a training step that did not fit, with the batch size that probably does."""
    step = _Step(recipe)
    size = recipe.train.batch_size
    what = f"not enough memory for steps of {size:,} images, which take {step.told(size)}"
    if size == 1:
        return OutOfMemory(what, fix="try a smaller model, or a smaller data.image_size")
    room = available_bytes(device)
    smaller = size // 2
    while smaller > 1 and room is not None and step.num_bytes(smaller) > room:
        smaller //= 2
    return OutOfMemory(what, fix=f"try --batch-size {smaller}, which takes {step.told(smaller)}")


def evaluation_shortage(num_images: int) -> OutOfMemory:
    """The error of an evaluation that did not fit."""
    return OutOfMemory(
        f"not enough memory to evaluate {num_images:,} images at a time",
        fix="close other programs, or try a smaller model or a smaller data.image_size",
    )


def available_bytes(device: torch.device) -> int | None:
    """The memory of `device` that is free, as far as the system tells."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if device.type == "cpu" and meminfo.exists():
        for line in meminfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


class _Step:
    """A step's memory, a straight line over the batch size, from two points on `meta`."""

    def __init__(self, recipe: Recipe) -> None:
        with torch.device("meta"), torch.random.fork_rng():
            model = build(recipe.model_name, recipe.model)
        size, slots = recipe.data.image_size, int(recipe.train.momentum > 0)
        few, more = (
            training_memory(
                model,
                torch.empty(n, recipe.model.in_channels, size, size, device="meta"),
                optimizer_slots=slots,
            ).total_bytes
            for n in (2, 4)
        )
        self.per_image_bytes = (more - few) / 2
        self.fixed_bytes = few - 2 * self.per_image_bytes

    def num_bytes(self, batch_size: int) -> float:
        return self.fixed_bytes + batch_size * self.per_image_bytes

    def told(self, batch_size: int) -> str:
        return f"about {self.num_bytes(batch_size) / 1e6:,.0f} MB"
