"""ConvLens: understand a convolution down to every number, and train on the machine you have."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convlens.experiment.classifier.classifier import Classifier

__version__ = "0.1.0"
__all__ = ["Classifier", "__version__"]


def __getattr__(name: str) -> Any:
    """`Classifier`, which is loaded when it is first asked for: torch takes a second."""
    if name != "Classifier":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("convlens.experiment.classifier.classifier").Classifier
