"""Processes share a CPU, and have a GPU each."""

import pytest
import torch

from convlens.core.errors import ConfigError
from convlens.train.parallel.device import device_for
from convlens.train.parallel.world import ALONE, Alone


class _Second(Alone):  # type: ignore[misc]
    """As the second of two processes sees it."""

    rank, size, local_rank = 1, 2, 1


SECOND = _Second()


def test_processes_share_the_cpu_and_have_a_gpu_each(monkeypatch: pytest.MonkeyPatch) -> None:
    assert device_for("cpu", ALONE) == device_for("cpu", SECOND) == torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device_for("auto", SECOND) == torch.device("cpu")
    chosen: list[int] = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", chosen.append)
    assert device_for("auto", SECOND) == device_for("cuda", SECOND) == torch.device("cuda", 1)
    assert chosen == [1, 1]


@pytest.mark.parametrize("name", ["cuda:0", "cuda", "mps"])
def test_one_device_for_two_processes_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    with pytest.raises(ConfigError, match=r"^train.device"):
        device_for(name, SECOND)
