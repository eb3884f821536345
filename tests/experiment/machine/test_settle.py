"""What a recipe leaves open is settled once; what the machine lacks is refused."""

import pytest
import torch
from torch import nn

from convlens.core.errors import ConfigError
from convlens.data.batches import Batches
from convlens.data.catalog import Splits
from convlens.data.transform import Prepare
from convlens.experiment.machine import compiled, settle
from convlens.experiment.machine.probe import Tried, Way
from convlens.inspection.training.timing import Timing
from convlens.train.events import Settled
from convlens.train.optim import TrainConfig

CPU = torch.device("cpu")


@pytest.fixture
def batches(small_splits: Splits) -> Batches:
    return Batches(small_splits.train, 20, Prepare(28))


def network() -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 10))


def test_nothing_left_open_is_nothing_settled(batches: Batches) -> None:
    config = TrainConfig(channels_last=False)
    assert settle.settle(config, network(), batches) == (config, None)


def test_the_faster_way_is_taken_and_told(
    batches: Batches, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tried(*_: object) -> list[Tried]:
        return [
            Tried(
                way=Way(channels_last=layout, precision="float32"),
                timing=Timing.of([seconds]),
                first_seconds=9.0,
            )
            for layout, seconds in ((True, 2.0), (False, 1.0))
        ]

    monkeypatch.setattr(settle, "try_ways", tried)
    config = TrainConfig(channels_last="auto")
    assert settle.settle(config, network(), batches) == (
        TrainConfig(channels_last=False),
        Settled(
            channels_last=False,
            precision="float32",
            step_seconds={"channels last, float32": 2.0, "contiguous, float32": 1.0},
        ),
    )


def test_the_only_way_is_taken_untried(batches: Batches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convlens.experiment.machine.probe.has_bfloat16", lambda _: False)
    found, settled = settle.settle(TrainConfig(precision="auto"), network(), batches)
    assert found == TrainConfig()
    assert settled == Settled(channels_last=True, precision="float32", step_seconds={})


def test_what_is_lacking_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", dict)
    monkeypatch.setattr(compiled.shutil, "which", lambda _: None)
    settle.refuse_what_this_machine_lacks(TrainConfig(), CPU)
    with pytest.raises(ConfigError, match=r"train\.precision"):
        settle.refuse_what_this_machine_lacks(TrainConfig(precision="bfloat16"), CPU)
    with pytest.raises(ConfigError, match=r"train\.compile"):
        settle.refuse_what_this_machine_lacks(TrainConfig(compile=True), CPU)


def test_several_processes_do_not_compile() -> None:
    settle.refuse_what_this_machine_lacks(TrainConfig(), CPU, processes=2)
    with pytest.raises(ConfigError, match=r"train\.compile: with several processes"):
        settle.refuse_what_this_machine_lacks(TrainConfig(compile=True), CPU, processes=2)
