"""Average and maximum."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it

from convlens.core.shapes import Batch, Maps
from convlens.course.studies.pooling import Taps, average, equal_taps, maximum
from convlens.course.study import Setup


def mean_of_four(x: Batch) -> Maps:
    return F.avg_pool2d(x, 2)


def mean_and_one(x: Batch) -> Maps:
    return F.avg_pool2d(x, 2) + 1


@pytest.mark.parametrize(
    "taps",
    [
        lambda h, w: equal_taps(h, w) * h * w,
        lambda h, w: torch.full((h, w), 0.25, dtype=torch.float64),
    ],
    ids=["ones", "a quarter"],
)
def test_taps_that_are_not_divided_by_the_cells_are_found_out(taps: Taps) -> None:
    assert not average(Setup(), taps=taps).holds


def test_average_pooling_is_linear_and_is_found_out() -> None:
    finding = maximum(Setup(), pool=mean_of_four)
    assert finding.numbers["f(x) + f(-x)"] == 0
    wrong = {claim.text for claim in finding.claims if not claim.as_expected}
    assert {"pooling is not", "f(x) + f(-x) is not 0, as it is for every linear map: a proof"} < (
        wrong
    )


def test_a_bias_does_not_pass_for_a_proof() -> None:
    wrong = [claim.text for claim in maximum(Setup(), pool=mean_and_one).claims if not claim.true]
    assert "nor is it the same for each x, twice a bias" in wrong


def test_the_counterexample_in_numbers() -> None:
    numbers = maximum(Setup()).numbers
    assert (numbers["f(x)"], numbers["f(-x)"]) == (1, 0)
