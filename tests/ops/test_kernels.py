import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import ConfigError, UnknownName
from convlens.ops.kernels import KERNELS, blur, derivative, gaussian, kernel, oriented_edge
from convlens.ops.plain import correlate
from tests.strategies import whole

angles = st.floats(0, 2 * math.pi)
ROWS, COLUMNS = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")
SLOPES_RIGHT = ("edge", "prewitt-x", "sobel-x", "scharr-x")


@pytest.mark.parametrize("name", KERNELS)
def test_every_kernel_is_a_matrix_with_a_description_and_a_source(name: str) -> None:
    entry = KERNELS[name]
    assert kernel(name).dtype == torch.float32
    assert entry.about and entry.source


@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_keeps_grey_grey_or_makes_it_black(name: str) -> None:
    total = kernel(name).sum().item()
    keeps = name in ("identity", "blur", "gaussian", "sharpen", "emboss")
    assert total == pytest.approx(1 if keeps else 0, abs=1e-6)


@pytest.mark.parametrize("name", SLOPES_RIGHT)
def test_edge_finders_see_a_slope_and_only_in_their_direction(name: str) -> None:
    k = kernel(name)
    scale = k.clamp(min=0).sum() * 2  # of a central difference over two pixels
    assert torch.allclose(correlate(COLUMNS, k), scale.expand(7, 7))
    assert torch.allclose(correlate(ROWS, k), torch.zeros(7, 7), atol=1e-5)


@pytest.mark.parametrize("name", ["prewitt", "sobel", "scharr"])
def test_the_kernel_for_y_is_that_for_x_transposed(name: str) -> None:
    assert torch.equal(kernel(f"{name}-y"), kernel(f"{name}-x").T)


@given(angles, angles)
def test_an_oriented_edge_measures_the_slope_along_its_direction(at: float, slope: float) -> None:
    plane = math.cos(slope) * COLUMNS + math.sin(slope) * ROWS
    y = correlate(plane, oriented_edge(math.cos(at), math.sin(at)))
    assert torch.allclose(y, torch.full((7, 7), math.cos(at - slope)), atol=1e-5)


@given(st.integers(0, 7), st.integers(0, 7))
def test_a_derivative_of_order_d_ends_lower_powers_and_finds_the_factorial(
    order: int, power: int
) -> None:
    places = torch.arange(12.0, dtype=torch.float64)[None]
    y = correlate(places**power, derivative(order).double())
    if power <= order:
        expected = math.factorial(order) if power == order else 0
        assert (y == expected).all()
    else:
        assert (y != 0).any()


@given(st.integers(1, 6))
def test_no_shorter_kernel_is_a_derivative_of_that_order(order: int) -> None:
    """order numbers cannot meet the order + 1 conditions: the first order force them to zero."""
    powers = torch.arange(float(order), dtype=torch.float64)
    conditions = torch.stack([powers**power for power in range(order)])
    assert torch.linalg.matrix_rank(conditions) == order


def test_second_derivatives_are_strongest_on_thin_lines() -> None:
    image = torch.zeros(5, 9)
    image[:, 4] = 1
    y = correlate(image, kernel("second-derivative-x"))
    assert y[0].tolist() == [0, 0, 1, -2, 1, 0, 0]
    assert (correlate(image, kernel("second-derivative-y")) == 0).all()
    assert torch.equal(kernel("derivative:2"), kernel("second-derivative-x"))


def test_the_laplacian_is_the_sum_of_both_second_derivatives() -> None:
    x = whole(6, 7).float()
    across = correlate(x, kernel("second-derivative-x"))[1:-1]
    down = correlate(x, kernel("second-derivative-y"))[:, 1:-1]
    assert torch.equal(correlate(x, kernel("laplacian")), across + down)
    assert torch.equal(correlate(x, kernel("sharpen")), x[1:-1, 1:-1] - across - down)


@given(st.integers(1, 15))
def test_blurs_of_any_size_average(size: int) -> None:
    for k in (blur(size), gaussian(size, size / 5)):
        assert k.shape == (size, size)
        assert k.sum().item() == pytest.approx(1, abs=1e-5)
        assert torch.equal(k, k.T)
        assert torch.allclose(k, k.flip(0, 1))
    assert gaussian(size)[size // 2, size // 2] == gaussian(size).max()


def test_a_blur_evens_out() -> None:
    x = whole(12, 12).float()
    assert correlate(x, blur(5)).var() < correlate(x, blur(3)).var() < x.var()


def test_numbers_after_the_colon() -> None:
    assert kernel("blur:7").shape == (7, 7)
    assert torch.equal(kernel("edge:1,2"), oriented_edge(1, 2))
    assert torch.equal(kernel("gaussian:5,0.8"), gaussian(5, 0.8))
    assert torch.equal(kernel("edge:-1,0.5"), oriented_edge(-1, 0.5))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("blur:0", "size=0 must be >= 1"),
        ("gaussian:0", "size=0 must be >= 1"),
        ("blur:2.5", "size=2.5 must be a whole number"),
        ("blur:3,4", "blur takes size; 2 given"),
        ("sharpen:3", "sharpen takes no numbers; 1 given"),
        ("blur:wide", "'wide' is not a number"),
        ("gaussian:3,0", "sigma=0 must be > 0"),
        ("gaussian:3,nan", "sigma=nan must be > 0"),
        ("edge:0,0", "must have a length"),
        ("edge:inf,0", "must have a length"),
        ("derivative:-1", "order=-1 must be >= 0"),
    ],
)
def test_numbers_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kernel(text)
    assert message in str(caught.value)


def test_a_misspelt_kernel_is_met_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="no kernel 'sobel-z'; did you mean 'sobel-"):
        kernel("sobel-z")
