"""Muon's step is its formula; on matrices it is torch's, within torch's bfloat16."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.train.optim.muon import COEFFICIENTS, Muon, orthogonal
from tests.strategies import normal, seeds

sides = st.integers(1, 12)


def by_singular_values(matrix: Tensor, rounds: int) -> Tensor:
    """`U p(p(...p(S / ||S||))) V^T`: the polynomial on the singular values, written out."""
    u, s, vt = torch.linalg.svd(matrix, full_matrices=False)
    s = s / s.norm()
    a, b, c = COEFFICIENTS
    for _ in range(rounds):
        s = a * s + b * s**3 + c * s**5
    return u @ torch.diag(s) @ vt


@given(sides, sides, seeds, st.integers(0, 6))
def test_the_rounds_are_a_polynomial_of_the_singular_values(
    rows: int, cols: int, seed: int, rounds: int
) -> None:
    matrix = normal(rows, cols, seed=seed)
    expected = by_singular_values(matrix, rounds)
    torch.testing.assert_close(orthogonal(matrix, rounds), expected, rtol=1e-4, atol=1e-5)


@given(sides, sides, seeds)
def test_singular_values_are_driven_towards_one(rows: int, cols: int, seed: int) -> None:
    """If none is below a twentieth of the norm, all come to lie between 0.68 and 1.14."""
    matrix = normal(rows, cols, seed=seed, dtype=torch.float32)
    before = torch.linalg.svdvals(matrix)
    after = torch.linalg.svdvals(orthogonal(matrix))
    assert after.max() < 1.21
    if before.min() > 0.05 * before.norm():
        assert after.min() > 0.68 and after.max() < 1.14


@given(sides, sides, seeds, st.floats(1e-3, 1e3))
def test_the_size_of_the_gradient_does_not_matter(
    rows: int, cols: int, seed: int, factor: float
) -> None:
    matrix = normal(rows, cols, seed=seed)
    torch.testing.assert_close(
        orthogonal(matrix * factor), orthogonal(matrix), rtol=1e-2, atol=1e-3
    )


@given(sides, sides, seeds)
def test_transposing_the_matrix_transposes_the_result(rows: int, cols: int, seed: int) -> None:
    matrix = normal(rows, cols, seed=seed)
    torch.testing.assert_close(orthogonal(matrix.T), orthogonal(matrix).T)


def test_a_gradient_of_zeros_moves_nothing() -> None:
    weight = nn.Parameter(normal(3, 4, dtype=torch.float32))
    weight.grad = torch.zeros(3, 4)
    before = weight.detach().clone()
    Muon([weight], lr=1.0).step()
    assert torch.equal(weight, before)


def gradients(shape: tuple[int, ...]) -> list[Tensor]:
    return [normal(*shape, seed=seed, dtype=torch.float32) for seed in (1, 2, 3)]


def stepped(optimizer: torch.optim.Optimizer, weight: nn.Parameter) -> Tensor:
    for gradient in gradients(tuple(weight.shape)):
        weight.grad = gradient
        optimizer.step()
    return weight.detach()


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5)])
@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_on_a_matrix_it_is_torchs_within_bfloat16(
    shape: tuple[int, int], nesterov: bool, weight_decay: float
) -> None:
    how = {"lr": 0.1, "momentum": 0.9, "nesterov": nesterov, "weight_decay": weight_decay}
    one, other = (nn.Parameter(normal(*shape, dtype=torch.float32)) for _ in range(2))
    start = one.detach().clone()
    ours = stepped(Muon([one], **how), one) - start  # pyright: ignore[reportArgumentType]
    theirs = stepped(torch.optim.Muon([other], **how), other) - start  # pyright: ignore
    assert (ours - theirs).norm() < 0.05 * theirs.norm()


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (8, 1, 2, 2), (3, 2, 3, 3), (4, 3, 5)])
@pytest.mark.parametrize("nesterov", [True, False])
def test_a_step_is_the_formula_on_filters_as_matrices(
    shape: tuple[int, ...], nesterov: bool
) -> None:
    weight = nn.Parameter(normal(*shape, dtype=torch.float32))
    expected, momentum = weight.detach().double().flatten(1), torch.tensor(0.0)
    for gradient in gradients(shape):
        momentum = 0.9 * momentum + gradient.double().flatten(1)
        update = gradient.double().flatten(1) + 0.9 * momentum if nesterov else momentum
        rows, cols = expected.shape
        expected = expected * (1 - 0.1 * 0.2)
        expected = expected - 0.1 * max(1, rows / cols) ** 0.5 * by_singular_values(update, 5)
    found = stepped(
        Muon([weight], lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.2), weight
    )
    torch.testing.assert_close(found.double().flatten(1), expected, rtol=1e-3, atol=1e-4)


def test_the_memory_layout_of_filters_does_not_matter() -> None:
    rows, channels = (nn.Parameter(normal(4, 3, 3, 3, dtype=torch.float32)) for _ in range(2))
    channels.data = channels.data.contiguous(memory_format=torch.channels_last)
    found = stepped(Muon([channels], lr=0.1), channels)
    torch.testing.assert_close(found, stepped(Muon([rows], lr=0.1), rows))


def test_a_vector_is_no_matrix() -> None:
    with pytest.raises(AssertionError, match="two axes"):
        Muon([nn.Parameter(torch.zeros(3))], lr=0.1)


def test_a_kept_norm_is_the_root_of_the_rows_before_each_step() -> None:
    torch.manual_seed(0)
    weight = nn.Parameter(torch.rand(4, 3, 2, 2) + 1)
    before, gradient = weight.detach().clone(), torch.randn(4, 3, 2, 2)
    weight.grad = gradient.clone()
    Muon([weight], lr=0.1, momentum=0.0, nesterov=False, keep_norm=True).step()
    expected = before * (2 / before.norm()) - 0.1 * orthogonal(gradient.flatten(1)).view_as(before)
    torch.testing.assert_close(weight.detach(), expected)


def test_the_rounds_are_as_many_as_asked_for() -> None:
    gradient = normal(3, 4, seed=0, dtype=torch.float32)
    weight = nn.Parameter(torch.zeros(3, 4))
    weight.grad = gradient.clone()
    Muon([weight], lr=1.0, momentum=0.0, nesterov=False, rounds=2).step()
    torch.testing.assert_close(weight.detach(), -orthogonal(gradient, 2))
