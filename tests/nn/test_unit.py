"""A unit is the convolution, norm and activation that its settings ask for."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from torch import nn

from convlens.nn.unit import conv_unit, named
from tests.strategies import normal


def test_a_unit_is_its_formula() -> None:
    unit = conv_unit(3, 4, 3, stride=2, bias=True, eps=0.5).double().eval()
    weight, bias, *_ = unit.parameters()
    x = normal(2, 3, 7, 6)
    y = F.conv2d(x, weight, bias, stride=2, padding=1) / 1.5**0.5
    torch.testing.assert_close(unit(x), F.relu(y))


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("activation", [True, False])
def test_a_unit_has_the_parts_that_are_wanted(norm: bool, activation: bool) -> None:
    unit = conv_unit(4, 4, 3, norm=norm, activation=activation)
    wanted = ["conv"] + ["norm"] * norm + ["activation"] * activation
    assert [name for name, _ in unit.named_children()] == wanted


@pytest.mark.parametrize("kernel_size", [1, 3, 5, 7])
def test_an_odd_kernel_keeps_height_and_width(kernel_size: int) -> None:
    assert conv_unit(1, 2, kernel_size)(torch.zeros(2, 1, 9, 8)).shape == (2, 2, 9, 8)


def test_groups_divide_the_weights() -> None:
    assert conv_unit(4, 8, 3, groups=2).conv.weight.shape == (8, 2, 3, 3)  # type: ignore[union-attr]


def test_named_parts_run_in_their_order() -> None:
    twice = nn.Linear(1, 1, bias=False)
    nn.init.constant_(twice.weight, 2.0)
    both = named(twice=twice, relu=nn.ReLU())
    assert both(torch.tensor([[-1.0], [3.0]])).flatten().tolist() == [0.0, 6.0]
    assert both.twice is twice
