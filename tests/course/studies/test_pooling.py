"""The experiments of 7.5 can fail."""

from typing import Any

import pytest
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import Tensor

from convlens.course.studies import pooling
from convlens.course.study import Setup


def test_a_pooling_that_is_linear_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(F, "max_pool2d", F.avg_pool2d)
    finding = pooling.maximum(Setup())
    assert not finding.holds
    assert finding.numbers["on which max pooling adds up"] == 100


def test_another_average_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    correct = F.avg_pool2d

    def doubled(x: Tensor, *settings: Any) -> Tensor:
        return 2 * correct(x, *settings)

    monkeypatch.setattr(F, "avg_pool2d", doubled)
    assert not pooling.average(Setup()).holds
