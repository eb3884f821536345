"""The network that a command's options ask for: a model of the catalog at a size."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.core.config import override
from convlens.core.errors import ConfigError, ShapeError

if TYPE_CHECKING:  # torch is loaded inside the commands, so that help stays fast
    from torch import Tensor, nn

Input = Annotated[str | None, typer.Option("--input", help="Channels x height x width: 1x96x96.")]
Classes = Annotated[int | None, typer.Option("--classes", min=1, help="Number of classes.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", help="A setting of the model: stem=small.")
]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A model's name, its settings, and the images it is asked to take."""

    model: str
    settings: dict[str, Any]
    channels: int
    size: int

    @property
    def text(self) -> str:
        """1x96x96."""
        return f"{self.channels}x{self.size}x{self.size}"

    def build(self, size: int | None = None, *, device: str = "meta") -> "nn.Module":
        """The network for images of `size`, by default those that are asked for.

        Raises:
            ShapeError: the images are too small.
            ConfigError: a setting that makes no sense.
        """
        import torch

        from convlens.models.catalog import build, configure

        settings = {**self.settings, "image_size": self.size if size is None else size}
        with torch.device(device):
            return build(self.model, configure(self.model, settings))

    def images(self, network: "nn.Module", num_images: int = 1) -> "Tensor":
        """That many empty images for `network`."""
        from convlens.inspection.watch import inputs_like

        return inputs_like(network, num_images, self.channels, self.size, self.size)

    def smallest(self) -> int | None:
        """The smallest size that works with these settings; None if none up to 512 does."""
        from dataclasses import replace

        from convlens.inspection.smallest import smallest_input
        from convlens.inspection.trace import trace

        def runs(size: int) -> bool:
            asked = replace(self, size=size)
            try:
                network = asked.build()
                trace(network, asked.images(network))
            except ShapeError:
                return False
            return True

        return smallest_input(runs)


def wanted(
    model: str, input: str | None, classes: int | None, assignments: list[str] | None
) -> Wanted:
    """What the options ask for; the model's own sizes where they say nothing.

    Raises:
        UnknownName: no such model.
        ConfigError: an input that is not CxHxW, or not a square.
    """
    from convlens.models.catalog import MODELS

    preset = MODELS[model].preset
    dotted = [f"model.{assignment}" for assignment in assignments or []]
    settings: dict[str, Any] = dict(override({}, dotted).get("model", {}))
    if classes is not None:
        settings["num_classes"] = classes
    channels = settings.get("in_channels", preset.in_channels)
    size = settings.get("image_size", preset.image_size)
    if input is not None:
        channels, size = parse_input(input)
        settings["in_channels"] = channels
    return Wanted(model, settings, channels, size)


def parse_input(text: str) -> tuple[int, int]:
    """Channels and size of CxHxW.

    >>> parse_input("1x96x96")
    (1, 96)

    Raises:
        ConfigError: not three numbers, or not a square.
    """
    found = re.fullmatch(r"(\d+)x(\d+)x(\d+)", text)
    if found is None:
        raise ConfigError(f"--input {text}: not a size", fix="write CxHxW, as in 1x96x96")
    channels, height, width = (int(number) for number in found.groups())
    if height != width:
        raise ConfigError(
            f"--input {text}: {height} rows and {width} columns",
            fix=f"models take square images: {channels}x{height}x{height}",
        )
    if min(channels, height) < 1:
        raise ConfigError(f"--input {text}: every number must be at least 1")
    return channels, height
