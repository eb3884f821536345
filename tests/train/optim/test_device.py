"""A device is one that is here, and "auto" finds the fastest."""

import pytest
import torch

from convlens.core.errors import ConfigError
from convlens.train.optim.device import choose_device


@pytest.mark.parametrize("name", ["gpu", "", "cuda:99", "meta", "cpu:x", "hpu", "privateuseone"])
def test_a_device_that_is_not_here_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=rf"^train\.device: no device '{name}' here\n.*cpu"):
        choose_device(name)


def test_the_cpu_is_always_here() -> None:
    assert choose_device("cpu") == torch.device("cpu")


@pytest.mark.parametrize(
    ("cuda", "mps", "chosen"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_is_the_first_gpu_else_the_cpu(
    monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, chosen: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_device("auto") == torch.device(chosen)
