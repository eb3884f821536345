"""Every opened number is the operation's own, whatever the geometry."""

import pytest
import torch
from hypothesis import given, settings

from convlens.core.errors import ShapeError
from convlens.ops.correlation import convolution2d, cross_correlation2d
from convlens.ops.geometry import Geometry
from convlens.ops.steps.forward import Correlation, check_place, settings_of
from tests.strategies import Case, cases, whole


def correlation(case: Case, *, turned: bool = False) -> Correlation:
    bias = whole(case.out_channels, seed=case.seed + 2) if case.has_bias else None
    return Correlation.of(
        whole(*case.shape[1:], seed=case.seed),
        whole(*case.kernel_shape, seed=case.seed + 1),
        bias,
        turned=turned,
        **case.settings(),
    )


@given(cases(kernel=4, spare=2))
@settings(max_examples=40)
def test_the_sums_are_the_correlation_exactly(case: Case) -> None:
    opened = correlation(case)
    expected = cross_correlation2d(
        opened.x[None], opened.kernel, bias=opened.bias, **case.settings()
    )[0]
    assert opened.output_shape() == expected.shape
    assert [opened.step(cell).sum for cell in opened.cells()] == expected.flatten().tolist()
    assert torch.equal(opened.output(), expected)


@given(cases(kernel=4, spare=2))
@settings(max_examples=25)
def test_the_sums_are_the_true_convolution_exactly(case: Case) -> None:
    opened = correlation(case, turned=True)
    expected = convolution2d(opened.x[None], opened.kernel, bias=opened.bias, **case.settings())
    assert [opened.step(cell).sum for cell in opened.cells()] == expected.flatten().tolist()


@given(cases(kernel=4, spare=2))
@settings(max_examples=25)
def test_a_step_names_the_numbers_it_multiplies(case: Case) -> None:
    for turned in (False, True):
        opened = correlation(case, turned=turned)
        step = opened.step(list(opened.cells())[-1])
        taps = opened.geometry.rows.kernel * opened.geometry.columns.kernel
        assert len(step.products) == opened.kernel.shape[1] * taps
        assert len({product.entry for product in step.products}) == len(step.products)
        for product in step.products:
            assert product.weight == opened.kernel[product.entry].item()
            pixel = product.pixel
            assert pixel.channel // opened.kernel.shape[1] == step.group
            if pixel.source is None:
                assert pixel.value == 0
                assert case.geometry.padding_mode == "zeros"
            else:
                assert pixel.value == opened.x[pixel.channel][pixel.source].item()
            _, height, width = opened.x.shape
            inside = 0 <= pixel.row < height and 0 <= pixel.column < width
            assert pixel.padding != inside


def test_a_true_convolution_meets_the_last_entry_first() -> None:
    x, kernel = torch.arange(9.0).reshape(1, 3, 3), torch.arange(4.0).reshape(1, 1, 2, 2)
    step = Correlation.of(x, kernel, turned=True).step((0, 0, 0))
    assert [product.weight for product in step.products] == [3, 2, 1, 0]
    assert step.products[0].entry == (0, 0, 1, 1)
    assert step.sum == 5


def test_nan_spreads_as_in_torch() -> None:
    x = torch.tensor([[[1.0, float("nan"), 2.0]]])
    opened = Correlation.of(x, torch.ones(1, 1, 1, 2), padding=(0, 1))
    sums = torch.tensor([opened.step(cell).sum for cell in opened.cells()], dtype=torch.float64)
    assert torch.equal(sums.isnan(), opened.output().flatten().isnan())
    assert sums.isnan().tolist() == [False, True, True, False]


def test_the_view_holds_what_was_asked() -> None:
    opened = Correlation.of(torch.ones(1, 3, 3), torch.ones(1, 1, 2, 2), torch.tensor([1.0]))
    view = opened.view((opened.step((0, 1, 1)),))
    assert view["operation"] == "cross_correlation2d"
    assert view["output"] == [[[5, 5], [5, 5]]]
    assert view["steps"][0].bias == 1


@given(cases())
@settings(max_examples=20)
def test_the_settings_make_the_geometry_again(case: Case) -> None:
    keywords = settings_of(case.geometry)
    assert Geometry.of(case.geometry.kernel_size, **keywords) == case.geometry


@pytest.mark.parametrize("place", [(0, 2, 0), (1, 0, 0), (0, -1, 0), (0, 0)])
def test_a_place_outside_is_refused(place: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"the output is 1x2x2: it has no place"):
        check_place("the output", place, (1, 2, 2))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"x \(1, 1, 2, 2\) and kernel \(1, 1, 3, 3\)"):
        Correlation.of(torch.ones(1, 2, 2), torch.ones(1, 1, 3, 3))
