"""The book's names over ConvLens' own objects: `from convlens import d2l` instead of `d2l`.

The names are those of `convlens.d2l.torch`, which is loaded when the first of them is asked for.
"""

from importlib import import_module
from typing import Any


def __getattr__(name: str) -> Any:
    """A name of `convlens.d2l.torch`."""
    if name.startswith("__"):  # what Python itself looks for, such as __path__
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    names = import_module("convlens.d2l.torch")
    return names if name == "torch" else getattr(names, name)


def __dir__() -> list[str]:
    return sorted(import_module("convlens.d2l.torch").__all__)
