"""The models by name: a preset of settings, the constructor it belongs to, and its source."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from convlens.core.config import check, parse, to_table
from convlens.core.names import Table
from convlens.models.lenet import LeNet, LeNetConfig


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelEntry:
    """One line of the catalog."""

    preset: Any  # the frozen config dataclass that `build` takes
    build: Callable[[Any], nn.Module]
    source: str
    about: str


MODELS: Table[ModelEntry] = Table(
    "model",
    (
        "lenet",
        ModelEntry(
            preset=LeNetConfig(),
            build=LeNet,
            source="LeCun et al. (1998); d2l 7.6",
            about="the book's LeNet: sigmoid, average pooling",
        ),
    ),
    (
        "lenet-modern",
        ModelEntry(
            preset=LeNetConfig(activation="relu", pooling="max", init="kaiming"),
            build=LeNet,
            source="LeCun et al. (1998); d2l 7.6, exercise 1",
            about="the same layers with ReLU and max-pooling",
        ),
    ),
)


def configure(name: str, settings: Mapping[str, Any]) -> Any:
    """The preset of model `name` with some settings replaced.

    Raises:
        UnknownName: no model of that name.
        ConfigError: an unknown setting, a wrong type or a value out of range.
    """
    preset = MODELS[name].preset
    return parse(type(preset), {**to_table(preset), **settings}, section="model")


def build(name: str, config: Any) -> nn.Module:
    """Model `name` with this config, freshly initialised from torch's generator.

    Raises:
        UnknownName: no model of that name.
        ConfigError: a value out of range.
        ShapeError: the images are too small for its layers.
    """
    return MODELS[name].build(check(config, section="model"))


def num_parameters(model: nn.Module) -> int:
    """How many numbers a training changes."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
