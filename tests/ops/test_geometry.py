import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - torch's own name for it
from hypothesis import given
from hypothesis import strategies as st

from convlens.core.errors import ConfigError, ShapeError
from convlens.ops.geometry import PADDING_MODES, Geometry, PaddingMode, PoolGeometry, pair, source
from convlens.ops.window import Window
from tests.strategies import (
    Case,
    PoolCase,
    cases,
    placed_windows,
    pool_cases,
    pool_windows,
    sizes_for,
)


@given(st.integers(0, 12), st.sampled_from(PADDING_MODES[1:]), st.data())
def test_a_border_cell_comes_from_where_torch_takes_it(
    padding: int, mode: PaddingMode, data: st.DataObject
) -> None:
    size = data.draw(sizes_for(Window(1, padding=padding), mode))
    line = torch.arange(size, dtype=torch.float64).reshape(1, 1, size)
    expected = F.pad(line, (padding, padding), mode=mode).flatten().tolist()
    assert [source(p, size, mode) for p in range(-padding, size + padding)] == expected


@given(cases())
def test_the_output_has_torchs_size(case: Case) -> None:
    rows, columns = case.geometry.rows, case.geometry.columns
    y = F.conv2d(
        torch.ones(1, 1, *case.shape[2:]),
        torch.ones(1, 1, rows.kernel, columns.kernel),
        stride=(rows.stride, columns.stride),
        padding=(rows.padding, columns.padding),
        dilation=(rows.dilation, columns.dilation),
    )
    assert case.geometry.output_size(*case.shape[2:]) == tuple(y.shape[2:])


@given(placed_windows())
def test_the_transposed_size_undoes_the_output_size(placed: tuple[Window, int]) -> None:
    window, size = placed
    geometry = Geometry(window, Window(1))
    height, _ = geometry.output_size(size, 1)
    lost = (size + 2 * window.padding - window.extent) % window.stride
    assert geometry.transposed_size(height, 1, (lost, 0)) == (size, 1)


@given(pool_cases(dilation=2))
def test_a_pooled_image_has_torchs_size(case: PoolCase) -> None:
    rows, columns = case.geometry.rows, case.geometry.columns
    y = F.max_pool2d(
        torch.ones(1, 1, *case.shape[2:]),
        dilation=(rows.dilation, columns.dilation),
        **case.settings(),
    )
    assert case.geometry.output_size(*case.shape[2:]) == tuple(y.shape[2:])


@given(pool_windows(), st.integers(1, 12), st.booleans())
def test_pooling_refuses_what_torch_refuses(window: Window, size: int, ceil_mode: bool) -> None:
    geometry = PoolGeometry(window, Window(1), ceil_mode)
    settings = ((window.kernel, 1), (window.stride, 1), (window.padding, 0), 1, ceil_mode)
    try:
        expected = tuple(F.max_pool2d(torch.ones(1, 1, size, 1), *settings).shape[2:])
    except RuntimeError:
        with pytest.raises(ShapeError, match="sees only"):
            geometry.output_size(size, 1)
    else:
        assert geometry.output_size(size, 1) == expected


def test_the_book_s_sizes() -> None:
    assert Geometry.of((3, 5), padding=(0, 1), stride=(3, 4)).output_size(8, 8) == (2, 2)


@pytest.mark.parametrize("value", [(1,), (1, 2, 3), 1.5, "12", True, (1, 2.0), (True, 1)])
@pytest.mark.usefixtures("as_a_user")
def test_a_setting_is_one_whole_number_or_two(value: object) -> None:
    with pytest.raises(ShapeError, match=r"stride=.*one whole number, or two"):
        pair(value, "stride")  # pyright: ignore[reportArgumentType]


@pytest.mark.usefixtures("as_a_user")
def test_a_misspelt_padding_mode_is_met_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"padding_mode='reflection': unknown.*'reflect'"):
        Geometry(Window(1), Window(1), 1, "reflection")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("mode", "padding", "rule"),
    [("reflect", 3, "padding < height"), ("circular", 4, "padding <= height")],
)
def test_a_border_longer_than_the_image_is_refused(
    mode: PaddingMode, padding: int, rule: str
) -> None:
    geometry = Geometry.of(1, padding=padding, padding_mode=mode)
    with pytest.raises(ShapeError, match=f"padding={padding}.*{mode}.*{rule}, and the height is 3"):
        geometry.output_size(3, 9)
    allowed = Geometry.of(1, padding=padding - 1, padding_mode=mode)
    assert allowed.output_size(3, 9)[0] == 3 + 2 * (padding - 1)


def test_groups_below_one_are_refused() -> None:
    with pytest.raises(ShapeError, match="groups=0"):
        Geometry.of(3, groups=0)


def test_an_empty_image_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"0 x 5.*height must be >= 1"):
        Geometry.of(1, padding=1).output_size(0, 5)
    with pytest.raises(ShapeError, match="at least one row"):
        PoolGeometry.of(1).output_size(0, 5)


def test_output_padding_must_be_below_stride_or_dilation() -> None:
    with pytest.raises(ShapeError, match=r"output_padding=2.*stride=2"):
        Geometry.of(3, stride=2).transposed_size(4, 4, (2, 0))
    assert Geometry.of(3, dilation=3).transposed_size(4, 4, (2, 2)) == (12, 12)


def test_a_transpose_that_leaves_nothing_is_refused() -> None:
    with pytest.raises(ShapeError, match="makes -1 out of 1"):
        Geometry.of(1, padding=1).transposed_size(1, 1)


def test_a_transpose_pads_with_zeros_only() -> None:
    with pytest.raises(ConfigError, match="only 'zeros'"):
        Geometry.of(3, padding=1, padding_mode="reflect").transposed_size(4, 4)


def test_pooling_pads_at_most_half_its_window() -> None:
    with pytest.raises(ShapeError, match=r"padding=2.*half its kernel_size=3"):
        PoolGeometry.of(3, padding=2)
