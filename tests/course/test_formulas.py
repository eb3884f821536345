"""Each formula of 7.1 holds, and a wrong one would not."""

from dataclasses import replace

import pytest
from torch import Tensor

from convlens.course.formulas import FORMULAS, Formula, convolution


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.what)
@pytest.mark.parametrize("seed", [0, 1])
def test_a_formula_holds(formula: Formula, seed: int) -> None:
    assert formula.holds(seed)


@pytest.mark.parametrize("formula", FORMULAS, ids=lambda formula: formula.what)
def test_its_numbers_are_neither_zero_nor_always_the_same(formula: Formula) -> None:
    one, _ = formula.compute()
    other, _ = formula.compute()
    assert one.abs().sum() > 0
    assert not one.equal(other)


def test_a_formula_that_is_wrong_does_not_hold() -> None:
    def wrong() -> tuple[Tensor, Tensor]:
        one, other = convolution()
        return one, other.flip(0)

    assert not replace(FORMULAS[3], compute=wrong).holds()
