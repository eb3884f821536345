"""The learned kernel is the book's, autograd's, and the closed form's."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from convlens.core.errors import ConfigError, Diverged, ShapeError
from convlens.ops.correlation import cross_correlation2d
from convlens.ops.steps.learn import START, edge_image, learn_kernel, random_start
from tests.strategies import normal, seeds

EDGE = torch.tensor([[[[1.0, -1.0]]]])


def book(start: Tensor) -> tuple[list[float], Tensor]:
    """Losses and the last kernel of the book's ten epochs."""
    x = edge_image()[None].to(start.dtype)
    y = cross_correlation2d(x[None], EDGE.to(start.dtype))[0, 0]
    steps = list(learn_kernel(x, y, start))
    return [step.loss for step in steps], torch.tensor(steps[-1].kernel, dtype=start.dtype)


def test_the_books_losses_and_kernel() -> None:
    losses, kernel = book(torch.tensor([[START]]))
    assert [f"{loss:.3f}" for loss in losses[1::2]] == [
        "10.795",
        "3.640",
        "1.360",
        "0.535",
        "0.215",
    ]
    assert [f"{entry:.4f}" for entry in kernel.flatten().tolist()] == ["1.0383", "-0.9430"]


def test_the_start_rounded_to_four_digits_ends_at_the_same_kernel() -> None:
    assert [round(entry, 4) for entry in START] == [0.6328, 0.2548]
    losses, kernel = book(torch.tensor([[[0.6328, 0.2548]]]))
    assert losses[1::2] == pytest.approx([10.795, 3.640, 1.360, 0.535, 0.215], abs=1.1e-3)
    assert [f"{entry:.3f}" for entry in kernel.flatten().tolist()] == ["1.038", "-0.943"]


@given(st.floats(-3, 3), st.floats(-3, 3))
@settings(max_examples=30)
def test_each_step_multiplies_the_error_by_the_closed_forms_factors(u: float, v: float) -> None:
    """Along (1, 1) by 1 - 2 lr 30 = -0.8, along (1, -1) by 1 - 2 lr 6 = 0.64."""
    start = torch.tensor([[[1 + u + v, -1 + u - v]]], dtype=torch.float64)
    losses, kernel = book(start)
    for epoch, loss in enumerate(losses):
        expected = 60 * (u * (-0.8) ** epoch) ** 2 + 12 * (v * 0.64**epoch) ** 2
        assert loss == pytest.approx(expected, rel=1e-9, abs=1e-12)
    error = kernel.flatten() - torch.tensor([1.0, -1.0])
    assert (error.sum() / 2).item() == pytest.approx(u * 0.8**10, abs=1e-12)
    assert ((error[0] - error[1]) / 2).item() == pytest.approx(v * 0.64**10, abs=1e-12)


@given(seeds)
@settings(max_examples=20)
def test_the_steps_are_autograds(seed: int) -> None:
    x, y, start = (
        normal(2, 5, 6, seed=seed),
        normal(4, 4, seed=seed + 1),
        normal(2, 2, 3, seed=seed),
    )
    kernel = start[None].clone().requires_grad_()
    for step in learn_kernel(x, y, start, lr=1e-3, num_epochs=4):
        loss = (torch.nn.functional.conv2d(x[None], kernel)[0, 0] - y).square().sum()
        (gradient,) = torch.autograd.grad(loss, kernel)
        assert step.loss == pytest.approx(loss.item(), rel=1e-12)
        assert torch.allclose(torch.tensor(step.gradient, dtype=torch.float64), gradient[0])
        kernel = (kernel - 1e-3 * gradient).detach().requires_grad_()
        assert torch.allclose(torch.tensor(step.kernel, dtype=torch.float64), kernel[0])


@given(seeds)
@settings(max_examples=30)
def test_any_start_of_torchs_ends_near_the_edge_kernel(seed: int) -> None:
    start = random_start(seed)
    assert start.abs().max() <= 1 / math.sqrt(2)
    assert torch.equal(start, random_start(seed))
    losses, kernel = book(start)
    assert losses[-1] < 0.56
    assert ((kernel.flatten() - torch.tensor([1.0, -1.0])).abs() < 0.096).all()


def test_what_makes_no_sense_is_refused() -> None:
    x, y, start = torch.ones(1, 3, 3), torch.ones(3, 2), torch.ones(1, 1, 2)
    with pytest.raises(ConfigError, match="lr=0"):
        next(learn_kernel(x, y, start, lr=0.0))
    with pytest.raises(ConfigError, match="epochs=0"):
        next(learn_kernel(x, y, start, num_epochs=0))
    with pytest.raises(ShapeError, match="spans 5"):
        next(learn_kernel(x, y, torch.ones(1, 1, 5)))
    with pytest.raises(Diverged, match="the loss is") as caught:
        list(learn_kernel(x, y, start, lr=1e20))
    assert "--lr 1e+19" in caught.value.fix
