"""The experiments of 7.4 can fail, and their numbers are others' numbers too."""

from typing import Any

import pytest
from torch import nn

from convlens.course.studies import channels
from convlens.course.study import Setup


def test_the_gain_of_blocks_is_their_number() -> None:
    numbers = channels.blocks(Setup()).numbers
    for count in (2, 4, 8, 16, 32):
        assert numbers[f"MACs, {count} blocks: times fewer"] == count
    assert numbers["MACs, full"] == 128 * 512 * 512


def test_blocks_that_save_nothing_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = nn.Conv2d

    def full(*arguments: Any, groups: int, **settings: Any) -> nn.Module:
        del groups
        return plain(*arguments, **settings)

    monkeypatch.setattr(nn, "Conv2d", full)
    assert not channels.blocks(Setup()).holds


def test_many_channels_differ_by_rounding_alone() -> None:
    numbers = channels.order(Setup()).numbers
    assert numbers["share with equal bits, 64 channels"] < 1  # type: ignore[operator]
    assert 0 < numbers["largest sum of differences, 64 channels"] < 1e-2  # type: ignore[operator]
    assert numbers["equal on whole numbers"] == "True"
