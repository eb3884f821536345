"""The experiments of 7.1 and 7.2 can fail, and their numbers are others' numbers too."""

import pytest
import torch
from torch import Tensor, nn

from convlens.course.studies import convolutions
from convlens.course.study import Setup


def test_a_layer_that_is_not_equivariant_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def dense(*_: object, dtype: torch.dtype, **_settings: object) -> nn.Module:
        return nn.Linear(64, 64, dtype=dtype)

    monkeypatch.setattr(nn, "Conv1d", dense)
    assert not convolutions.audio(Setup()).holds


def test_the_layers_that_text_needs_are_half_the_distance() -> None:
    numbers = convolutions.text(Setup()).numbers
    assert [numbers[f"layers for {d} words apart"] for d in (10, 100, 500)] == [5, 50, 250]
    assert numbers["layers for 500 words, dilation doubled"] == 8  # 2^9 - 1 = 511 > 500


def test_a_true_convolution_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    correct = convolutions.cross_correlation2d

    def flipped(x: Tensor, kernel: Tensor) -> Tensor:
        return correct(x, kernel.flip(2, 3))

    monkeypatch.setattr(convolutions, "cross_correlation2d", flipped)
    assert not convolutions.edges(Setup()).holds
