import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from hypothesis import given

from convlens.ops.algorithms.padding import add_bias, pad, unpad
from tests.strategies import Case, cases, whole


@given(cases(kernel=2))
def test_the_border_and_its_gradient_are_torchs(case: Case) -> None:
    x = whole(*case.shape, seed=case.seed).requires_grad_()
    top, left = case.geometry.padding
    mode = case.geometry.padding_mode
    border = (left, left, top, top)
    expected = F.pad(x, border) if mode == "zeros" else F.pad(x, border, mode=mode)
    padded = pad(x, case.geometry)
    assert torch.equal(padded, expected)
    grad = whole(*padded.shape, seed=case.seed + 1)
    (expected_grad,) = torch.autograd.grad(expected, x, grad)
    assert torch.equal(unpad(grad, case.geometry, (x.shape[2], x.shape[3])), expected_grad)


def test_a_bias_is_one_number_per_channel() -> None:
    y = torch.zeros(1, 2, 1, 2)
    assert add_bias(y, None) is y
    assert add_bias(y, torch.tensor([1.0, 2.0])).tolist() == [[[[1, 1]], [[2, 2]]]]
