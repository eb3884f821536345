"""Every opened number of a pooling is the operation's own, forward and backward."""

import math

import pytest
import torch
from hypothesis import given, settings

from convlens.core.errors import ConfigError, ShapeError
from convlens.ops.geometry import PoolGeometry, Reduce
from convlens.ops.pooling import avg_pool2d, max_pool2d
from convlens.ops.steps.pooling import Pooling, PoolingBackward, first_greatest
from tests.strategies import PoolCase, pool_cases, whole


def pooling(case: PoolCase, reduce: Reduce) -> Pooling:
    return Pooling(whole(*case.shape[1:], seed=case.seed), case.geometry, reduce)


@given(pool_cases(dilation=2))
@settings(max_examples=40)
def test_the_winners_are_the_maxima(case: PoolCase) -> None:
    opened = pooling(case, "max")
    dilation = (case.geometry.rows.dilation, case.geometry.columns.dilation)
    expected = max_pool2d(opened.x[None], **case.settings(dilation=dilation))[0]
    steps = [opened.step(cell) for cell in opened.cells()]
    assert [step.result for step in steps] == expected.flatten().tolist()
    assert torch.equal(opened.output(), expected)
    for step in steps:
        if step.winner is not None:
            assert step.pixels[step.winner].value == step.result
            assert not step.pixels[step.winner].padding


@given(pool_cases())
@settings(max_examples=40)
def test_the_means_are_the_averages(case: PoolCase) -> None:
    opened = pooling(case, "avg")
    keywords = case.settings(count_include_pad=case.geometry.count_include_pad)
    expected = avg_pool2d(opened.x[None], **keywords)[0]
    steps = [opened.step(cell) for cell in opened.cells()]
    assert [step.result for step in steps] == expected.flatten().tolist()
    assert all((step.sum or 0) / (step.divisor or 1) == step.result for step in steps)


@given(pool_cases())
@settings(max_examples=30)
def test_the_shares_sum_to_the_gradient(case: PoolCase) -> None:
    for reduce in ("max", "avg"):
        opened = pooling(case, reduce)
        grad_y = whole(*opened.output_shape(), seed=case.seed + 1)
        if reduce == "max" and not opened.output().isfinite().all():
            continue  # a window that sees only padding has no slope
        backward = PoolingBackward(opened, grad_y)
        found = [backward.input_step(cell).sum for cell in backward.cells()]
        expected = backward.gradient().flatten()
        assert torch.allclose(torch.tensor(found, dtype=torch.float64), expected, atol=1e-12)


def test_of_equal_cells_the_first_wins_and_nan_beats_all() -> None:
    assert first_greatest([1.0, 3.0, 3.0]) == 1
    assert first_greatest([1.0, math.nan, math.inf, math.nan]) == 1
    assert first_greatest([None, -math.inf]) == 1
    assert first_greatest([None]) is None


def test_the_divisor_counts_padding_only_if_asked() -> None:
    for count, divisor in ((True, 4), (False, 1)):
        geometry = PoolGeometry.of(2, padding=1, count_include_pad=count)
        step = Pooling(torch.ones(1, 2, 2), geometry, "avg").step((0, 0, 0))
        assert (step.sum, step.divisor) == (1, divisor)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ConfigError, match="average pooling has none"):
        Pooling(torch.ones(1, 5, 5), PoolGeometry.of(2, dilation=2), "avg")
    with pytest.raises(ShapeError, match="spans 9"):
        Pooling(torch.ones(1, 5, 5), PoolGeometry.of(9), "max")
    opened = Pooling(torch.ones(1, 4, 4), PoolGeometry.of(2), "max")
    with pytest.raises(ShapeError, match="the output is 1x2x2"):
        opened.step((0, 2, 0))
    with pytest.raises(ShapeError, match="the input is 1x4x4"):
        PoolingBackward(opened, torch.ones(1, 2, 2)).input_step((0, 4, 0))
    with pytest.raises(ShapeError, match="grad_y has shape"):
        PoolingBackward(opened, torch.ones(1, 4, 4))


def test_the_view_holds_what_was_asked() -> None:
    opened = Pooling(
        torch.arange(9.0).double().reshape(1, 3, 3), PoolGeometry.of(2, stride=1), "avg"
    )
    view = opened.view((opened.step((0, 0, 0)),))
    assert view["operation"] == "avg_pool2d"
    assert view["output"] == [[[2, 3], [5, 6]]]
    assert view["settings"]["kernel_size"] == (2, 2)
    backward = PoolingBackward(opened, torch.ones(1, 2, 2).double())
    view = backward.view((backward.input_step((0, 1, 1)),))
    assert view["grad_input"] == [[[0.25, 0.5, 0.25], [0.5, 1, 0.5], [0.25, 0.5, 0.25]]]
    assert view["steps"][0].sum == 1
