"""Which device a process has, and which run a launch has begun."""

from pathlib import Path

import pytest
import torch

from convlens.core.errors import ConfigError
from convlens.experiment.processes import device_for, differs, restart_note, run_of_launch
from convlens.runs.store import create_run
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


def test_a_launch_finds_its_newest_run(tmp_path: Path) -> None:
    assert run_of_launch("x", tmp_path) is None
    for launch in ("x", "y", "x", None):
        run = create_run("lenet", tmp_path)
        run.write_recipe({})
        run.write_json("provenance.json", {} if launch is None else {"launch": launch})
    found = run_of_launch("x", tmp_path)
    assert found is not None and found.name == "lenet-3"
    assert run_of_launch("z", tmp_path) is None


def test_another_number_of_processes_is_told() -> None:
    assert differs({"processes": 2}, {"processes": 2}) == differs({}, {}) == ""
    assert differs({"processes": 2}, {}).startswith("processes: 1 here, 2 before")
    assert "restart 2" in restart_note(2)
