"""Diagonal edges."""

import pytest
from torch import Tensor

from convlens.course.studies.convolution import Correlate, diagonal
from convlens.course.study import Setup
from convlens.ops.plain import convolve, correlate


def lopsided(x: Tensor, kernel: Tensor) -> Tensor:
    return correlate(x, kernel, stride=(1, 2))


def doubled(x: Tensor, kernel: Tensor) -> Tensor:
    return 2 * correlate(x, kernel)


def test_the_numbers_are_those_on_paper() -> None:
    assert list(diagonal(Setup()).numbers.values()) == ["+1", "-1", "+1", "-1", "-1", 50, 50]


@pytest.mark.parametrize("correlation", [lopsided, convolve, doubled])
def test_another_operation_is_found_out(correlation: Correlate) -> None:
    assert not diagonal(Setup(), correlation=correlation).holds


def test_a_law_of_transposes_that_fails_is_counted() -> None:
    finding = diagonal(Setup(), correlation=lopsided)
    assert int(finding.numbers["cases with corr(X.T, K.T) = corr(X, K).T"]) < 50
