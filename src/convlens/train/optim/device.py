"""The device that a name in the settings means."""

import torch

from convlens.core.errors import ConfigError


def choose_device(name: str) -> torch.device:
    """The device called `name`; "auto" is a CUDA GPU, else Apple's, else the CPU.

    Raises:
        ConfigError: no such device here.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device).tolist()  # fails on "meta" too, which holds no numbers
    except (RuntimeError, AssertionError, ImportError):
        raise ConfigError(
            f"train.device: no device {name!r} here", fix="leave it out, or say --device cpu"
        ) from None
    return device
