"""The experiments of 7.6 train what they say, and can fail."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from convlens.course.studies import lenet
from convlens.course.study import Setup


class Saying(nn.Module):
    """Answers what it is made with, whatever it sees."""

    def __init__(self, answer: Tensor) -> None:
        super().__init__()
        self.answer = answer

    def forward(self, x: Tensor) -> Tensor:
        return self.answer[: len(x)]


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """One epoch on a few images."""
    monkeypatch.setattr(lenet, "QUICK_IMAGES", 256)
    monkeypatch.setattr(lenet, "QUICK_EPOCHS", 1)


def test_a_training_is_repeatable_and_on_as_many_images_as_it_says(small_folder: Path) -> None:
    first, again = (lenet.train("lenet", Setup(), folder=small_folder) for _ in range(2))
    assert first.evaluation.loss == again.evaluation.loss
    assert first.num_images <= 256 and first.num_epochs == 1
    other = lenet.train("lenet", Setup(seed=1), folder=small_folder)
    assert other.evaluation.loss != first.evaluation.loss


def test_a_gain_that_is_not_there_is_not_found(
    small_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = lenet.train("lenet", Setup(), folder=small_folder)
    monkeypatch.setattr(lenet, "train", lambda *_, **__: trained)
    finding = lenet.modern(Setup(), folder=small_folder)
    assert not finding.holds
    accuracy = trained.evaluation.accuracy
    assert finding.numbers["test accuracy, ReLU and maximum"] == accuracy


def test_a_network_that_spreads_noise_over_all_classes_is_not_called_structured(
    small_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = lenet.train("lenet", Setup(), folder=small_folder)
    for answer, expected in ((torch.eye(10).repeat(100, 1), 0.1), (torch.eye(10)[[3] * 1000], 1.0)):
        fixed = replace(trained, model=Saying(answer))
        monkeypatch.setattr(lenet, "train", lambda *_, fixed=fixed, **__: fixed)
        finding = lenet.noise(Setup(), folder=small_folder)
        assert finding.numbers["uniform noise: its share"] == expected
        assert finding.holds is (expected > 0.2)
        sure = float(torch.tensor([1.0] + [0.0] * 9).softmax(0)[0])
        assert finding.numbers["normal noise: mean confidence"] == pytest.approx(sure)
