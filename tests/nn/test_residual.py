"""A residual sum adds, then activates; a projection is there only where shapes change."""

import pytest
import torch
from torch import nn

from convlens.nn.residual import ResidualSum, projection, zero_last_norms
from convlens.nn.unit import conv_unit, named
from tests.strategies import normal


class Doubling(ResidualSum):
    """relu(x + x)."""

    def __init__(self) -> None:
        super().__init__(named(same=nn.Identity()), nn.Identity())


def test_the_sum_is_activated() -> None:
    x = normal(2, 3, 4, 4)
    assert torch.equal(Doubling()(x), (2 * x).relu())


def test_the_input_is_left_as_it_was() -> None:
    x = normal(2, 3, 4, 4)
    before = x.clone()
    Doubling()(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize(
    ("in_channels", "out_channels", "stride", "identity"),
    [(4, 4, 1, True), (4, 8, 1, False), (4, 4, 2, False)],
)
def test_a_projection_is_there_where_the_shape_changes(
    in_channels: int, out_channels: int, stride: int, identity: bool
) -> None:
    shortcut = projection(in_channels, out_channels, stride)
    assert isinstance(shortcut, nn.Identity) is identity
    size = 7 if stride == 1 else 4
    x = torch.zeros(2, in_channels, 7, 7)
    assert shortcut(x).shape == (2, out_channels, size, size)


def test_only_the_last_norm_of_each_residual_is_zeroed() -> None:
    block = ResidualSum(
        named(unit1=conv_unit(2, 2, 3), unit2=conv_unit(2, 2, 3, activation=False)), nn.Identity()
    )
    zero_last_norms(nn.Sequential(conv_unit(1, 2, 3), block))
    norms = [part for part in block.modules() if isinstance(part, nn.BatchNorm2d)]
    assert [bool(norm.weight.any()) for norm in norms] == [True, False]
