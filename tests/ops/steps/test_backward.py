"""The shares of every number of a gradient sum to autograd's."""

import pytest
import torch
from hypothesis import given, settings

from convlens.core.errors import ShapeError
from convlens.ops.steps.backward import Backward
from convlens.ops.steps.forward import Correlation
from tests.ops.steps.test_forward import correlation
from tests.strategies import Case, cases, whole


@given(cases(kernel=3, spare=2))
@settings(max_examples=30)
def test_the_shares_sum_to_autograds_gradients_exactly(case: Case) -> None:
    for turned in (False, True):
        forward = correlation(case, turned=turned)
        grad_y = whole(*forward.output_shape(), seed=case.seed + 3)
        x, kernel = forward.x.requires_grad_(), forward.kernel.requires_grad_()
        y = Correlation.of(x, kernel, turned=turned, **case.settings()).output()
        expected = torch.autograd.grad(y, (x, kernel), grad_y)
        backward = Backward.of(
            Correlation.of(x.detach(), kernel.detach(), turned=turned, **case.settings()), grad_y
        )
        found = [backward.input_step(cell).sum for cell in backward.cells()]
        assert found == expected[0].flatten().tolist()
        found = [backward.kernel_step(entry).sum for entry in backward.entries()]
        assert found == expected[1].flatten().tolist()
        whole_gradients = backward.gradients()
        assert torch.equal(whole_gradients.x[0], expected[0])
        assert torch.equal(whole_gradients.kernel, expected[1])


@given(cases(kernel=3, spare=1))
@settings(max_examples=20)
def test_a_share_is_a_product_of_the_forward_pass(case: Case) -> None:
    """Each share's pixel and entry met in the window of its output."""
    forward = correlation(case)
    backward = Backward.of(forward)
    step = backward.input_step(list(backward.cells())[-1])
    for share in step.shares:
        met = [(p.pixel, p.entry) for p in forward.step(share.output).products]
        assert (share.pixel, share.entry) in met
        assert share.slope == 1
        assert share.pixel.source == step.at[1:]
    step = backward.kernel_step(next(iter(backward.entries())))
    for share in step.shares:
        met = [(p.pixel, p.entry) for p in forward.step(share.output).products]
        assert (share.pixel, share.entry) in met


def test_the_books_image_with_a_loss_of_ones() -> None:
    x, kernel = torch.arange(9.0).reshape(1, 3, 3), torch.arange(4.0).reshape(1, 1, 2, 2)
    backward = Backward.of(Correlation.of(x, kernel))
    middle = backward.input_step((0, 1, 1))
    assert [share.factor for share in middle.shares] == [3, 2, 1, 0]
    assert middle.sum == 6
    assert backward.gradients().kernel[0, 0].tolist() == [[8, 12], [20, 24]]
    assert backward.gradients().bias.tolist() == [4]
    view = backward.view((middle,))
    assert view["grad_input"] == [[[0, 1, 1], [2, 6, 4], [2, 5, 3]]]
    assert view["grad_kernel"] == [[[[8, 12], [20, 24]]]]


def test_what_does_not_fit_is_refused() -> None:
    forward = Correlation.of(torch.ones(1, 3, 3), torch.ones(1, 1, 2, 2))
    with pytest.raises(ShapeError, match=r"dL/dy has shape \(1, 3, 3\).*\(1, 2, 2\)"):
        Backward.of(forward, torch.ones(1, 3, 3))
    with pytest.raises(ShapeError, match="the input is 1x3x3"):
        Backward.of(forward).input_step((0, 3, 0))
    with pytest.raises(ShapeError, match="the kernel is 1x1x2x2"):
        Backward.of(forward).kernel_step((0, 0, 2, 0))
