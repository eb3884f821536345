"""Bad input: each error names the shapes, the setting and the rule, before computing."""

import pytest
import torch

from convlens.core.errors import ConfigError, ShapeError, UnknownName
from convlens.ops.catalog import IMPLEMENTATIONS
from convlens.ops.checks import check_numbers
from convlens.ops.correlation import cross_correlation1d, cross_correlation2d, transposed2d
from convlens.ops.pooling import adaptive_avg_pool2d, max_pool2d

pytestmark = pytest.mark.usefixtures("as_a_user")
X, KERNEL = torch.ones(2, 4, 6, 6), torch.ones(6, 4, 3, 3)


@pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
def test_a_kernel_larger_than_the_padded_image(implementation: str) -> None:
    kernel = torch.ones(6, 4, 9, 3)
    with pytest.raises(ShapeError, match=r"x \(2, 4, 6, 6\) and kernel \(6, 4, 9, 3\).*spans 9"):
        cross_correlation2d(X, kernel, padding=1, implementation=implementation)


@pytest.mark.parametrize(
    ("kernel", "groups", "message"),
    [
        ((6, 4, 3, 3), 3, "4 channels in do not divide into groups=3"),
        ((6, 1, 3, 3), 4, "6 channels out do not divide into groups=4"),
        ((6, 3, 3, 3), 1, "each kernel needs 4 / 1 = 4 channels, it has 3"),
        ((6, 4, 3, 3), 2, "each kernel needs 4 / 2 = 2 channels, it has 4"),
    ],
)
def test_channels_and_groups(kernel: tuple[int, ...], groups: int, message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        cross_correlation2d(X, torch.ones(kernel), groups=groups)
    assert message in str(caught.value)
    assert "x (2, 4, 6, 6) and kernel" in str(caught.value)


@pytest.mark.parametrize("axes", [1, 2, 3, 5])
def test_a_wrong_number_of_axes(axes: int) -> None:
    with pytest.raises(ShapeError, match=rf"x has shape .*: {axes} axes where 4 are needed"):
        cross_correlation2d(torch.ones((3,) * axes), KERNEL)
    with pytest.raises(ShapeError, match=rf"kernel has shape .*: {axes} axes where 4"):
        cross_correlation2d(X, torch.ones((3,) * axes))
    with pytest.raises(ShapeError, match="4 are needed"):
        max_pool2d(torch.ones((3,) * axes), 2)


def test_a_plain_matrix_is_shown_the_way() -> None:
    with pytest.raises(ShapeError, match=r"convlens\.ops\.plain"):
        cross_correlation2d(torch.ones(3, 3), KERNEL)


def test_a_signal_has_three_axes_and_single_settings() -> None:
    with pytest.raises(ShapeError, match="3 are needed"):
        cross_correlation1d(X, KERNEL)
    with pytest.raises(ShapeError, match="a signal has one axis"):
        cross_correlation1d(
            torch.ones(1, 1, 4),
            torch.ones(1, 1, 2),
            stride=(1, 2),  # pyright: ignore[reportArgumentType]
        )


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8, torch.bool, torch.complex64])
def test_what_is_no_float(dtype: torch.dtype) -> None:
    name = str(dtype).removeprefix("torch.")
    with pytest.raises(ShapeError, match=rf"x holds {name}"):
        cross_correlation2d(X.to(dtype), KERNEL.to(dtype))
    with pytest.raises(ShapeError, match=rf"x holds {name}"):
        max_pool2d(X.to(dtype), 2)


def test_mixed_types() -> None:
    with pytest.raises(ShapeError, match="different types: x float32, kernel float64"):
        cross_correlation2d(X, KERNEL.double())


def test_mixed_devices() -> None:
    with pytest.raises(ShapeError, match="different devices: x cpu, kernel meta"):
        check_numbers(x=X, kernel=KERNEL.to("meta"))


@pytest.mark.parametrize("shape", [(4,), (7,), (1, 6), ()])
def test_a_bias_of_the_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"bias has shape \(.*one number per channel out, \(6,\)"):
        cross_correlation2d(X, KERNEL, bias=torch.ones(shape))


@pytest.mark.parametrize("shape", [(2, 0, 6, 6), (2, 4, 0, 6)])
def test_an_empty_axis(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="length 0"):
        cross_correlation2d(torch.ones(shape), KERNEL)
    with pytest.raises(ShapeError, match="must be >= 1"):
        max_pool2d(torch.ones(shape), 2)


def test_settings_out_of_range() -> None:
    with pytest.raises(ShapeError, match="stride"):
        cross_correlation2d(X, KERNEL, stride=0)
    with pytest.raises(ShapeError, match=r"padding=3.*reflect"):
        cross_correlation2d(X[..., :3, :3], KERNEL, padding=3, padding_mode="reflect")
    with pytest.raises(ConfigError, match="'mirror': unknown"):
        cross_correlation2d(X, KERNEL, padding_mode="mirror")  # pyright: ignore[reportArgumentType]
    with pytest.raises(ShapeError, match="output_size"):
        adaptive_avg_pool2d(X, 0)


def test_a_transposed_kernel_has_its_channels_the_other_way_round() -> None:
    with pytest.raises(ShapeError, match=r"needs 4 kernels.*it has 6"):
        transposed2d(X, KERNEL)
    with pytest.raises(ShapeError, match="4 channels in do not divide into groups=3"):
        transposed2d(X, torch.ones(4, 2, 3, 3), groups=3)
    with pytest.raises(ShapeError, match=r"x \(2, 4, 6, 6\) and kernel.*output_padding=1"):
        transposed2d(X, torch.ones(4, 2, 3, 3), output_padding=1)


def test_an_unknown_implementation() -> None:
    with pytest.raises(UnknownName, match="'nativ'; did you mean 'native'"):
        cross_correlation2d(X, KERNEL, implementation="nativ")
