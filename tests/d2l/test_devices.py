"""Devices are chosen by what is there."""

import pytest
import torch

from convlens import d2l


def pretend(monkeypatch: pytest.MonkeyPatch, *, cuda: int = 0, mps: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


def test_without_a_gpu_there_is_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch)
    assert d2l.num_gpus() == 0
    assert d2l.try_gpu() == d2l.cpu() == torch.device("cpu")
    assert d2l.try_all_gpus() == [d2l.cpu()]
    assert d2l.gpu(1) == torch.device("cuda", 1)
    assert d2l.Trainer(1, num_gpus=1).gpus == []


def test_cudas_gpus_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=2, mps=True)
    assert d2l.try_all_gpus() == [torch.device("cuda", 0), torch.device("cuda", 1)]
    assert d2l.try_gpu(1) == torch.device("cuda", 1)
    assert d2l.try_gpu(2) == d2l.cpu()
    assert d2l.Trainer(1, num_gpus=1).gpus == [torch.device("cuda", 0)]


def test_apples_gpu_is_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, mps=True)
    assert d2l.num_gpus() == 1
    assert d2l.try_gpu() == torch.device("mps", 0)
    assert d2l.Trainer(1, num_gpus=1).gpus == [torch.device("mps", 0)]


def test_a_timer_counts_its_laps() -> None:
    timer = d2l.Timer()
    lap = timer.stop()
    timer.start()
    timer.stop()
    assert lap >= 0
    assert timer.sum() == pytest.approx(2 * timer.avg())
    assert timer.cumsum() == pytest.approx([timer.times[0], timer.sum()])
