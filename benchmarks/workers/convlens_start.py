"""What ConvLens' command does to its process before anything else, for the workers that use it."""

from importlib import import_module
from importlib.util import find_spec


def as_the_command_starts() -> bool:
    """Let the allocator keep large buffers, as the command does; whether it does so now.

    Call it before torch is imported. A release without that setting starts as it is.
    """
    name = "convlens.core.allocator"
    if find_spec(name) is None:
        return False
    return bool(import_module(name).keep_buffers().kept)
