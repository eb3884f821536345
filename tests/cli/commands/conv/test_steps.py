"""A step as lines: what is too much is left out and said so."""

import torch

from convlens.cli.commands.conv.draw import WIDTH
from convlens.cli.commands.conv.steps import correlation_lines, equation, gradient_lines, pool_lines
from convlens.ops.geometry import PoolGeometry
from convlens.ops.steps.backward import Backward
from convlens.ops.steps.forward import Correlation
from convlens.ops.steps.pooling import Pooling


def text(lines: list[object]) -> str:
    return "\n".join(map(str, lines))


def test_many_channels_are_summed_and_said() -> None:
    forward = Correlation.of(torch.ones(6, 3, 3), torch.ones(2, 6, 2, 2))
    found = text([*correlation_lines(forward, forward.output(), forward.step((1, 0, 0)))])
    assert "input[3]" in found
    assert "input[4]" not in found
    assert "(2 more channels are in the sum, not shown)" in found
    assert found.endswith("output[1,0,0] = 4 + 4 + 4 + 4 + 4 + 4 = 24")


def test_many_products_are_counted() -> None:
    forward = Correlation.of(torch.ones(1, 12, 12), torch.ones(1, 1, 12, 12))
    found = correlation_lines(forward, forward.output(), forward.step((0, 0, 0)))
    assert "of 144 lines of products; --json has all" in text([*found])
    assert str(found[-1]) == "output[0,0] = the sum of 144 products = 144"
    assert all(line.cell_len <= WIDTH for line in found)


def test_a_cell_that_no_window_sees_has_no_slope() -> None:
    forward = Correlation.of(torch.ones(1, 3, 3), torch.ones(1, 1, 1, 1), stride=2)
    backward = Backward.of(forward)
    found = gradient_lines(backward, backward.gradients().x[0], backward.input_step((0, 1, 1)))
    assert str(found[-1]) == "dL/dx[1,1] = nothing reads it = 0"


def test_the_padding_of_a_kernels_gradient_is_said() -> None:
    forward = Correlation.of(torch.ones(1, 2, 2), torch.ones(1, 1, 2, 2), padding=1)
    backward = Backward.of(forward)
    step = backward.kernel_step((0, 0, 0, 0))
    found = text([*gradient_lines(backward, backward.gradients().kernel, step)])
    assert "0,-1,-1  padding" in found
    assert "dL/dkernel[0,0] = 0 + 0 + 0 + 0 + 1 + 1 + 0 + 1 + 1 = 4" in found


def test_a_window_of_padding_alone_is_said() -> None:
    pooling = Pooling(torch.ones(1, 2, 2), PoolGeometry.of((2, 2), padding=1, dilation=3), "max")
    found = pool_lines(pooling, pooling.output(), pooling.step((0, 0, 0)))
    assert str(found[-1]) == "output[0,0] = max() = -inf, from padding alone"


def test_negative_terms_stand_in_parentheses() -> None:
    assert str(equation("y", [1.0, -2.5], -1.0, -2.5)[0]) == "y = 1 + (-2.5) + bias -1 = -2.5"
