"""ResNeXt's grouped convolution is many narrow bottlenecks side by side."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.core.errors import ConfigError
from convlens.models.catalog import num_parameters
from convlens.models.resnext import ResNeXt, ResNeXtBlock, ResNeXtConfig
from convlens.nn.residual import zero_last_norms
from tests.strategies import normal


def test_the_books_example_has_its_shape_and_two_groups() -> None:
    block = ResNeXtBlock(32, 32, inner_channels=32, groups=2, bias=True)  # d2l: (32, 16, 1)
    assert block(torch.zeros(4, 32, 96, 96)).shape == (4, 32, 96, 96)
    assert block.residual.unit2.conv.groups == 2  # type: ignore[union-attr]


def test_a_grouped_block_is_the_sum_of_its_paths() -> None:
    """Figure 3a of the paper: each group alone, from conv1 to conv1, then all added to x."""
    block = ResNeXtBlock(8, 8, inner_channels=6, groups=3).double().eval()
    w1, _, _, w2, _, _, w3, _, _ = block.parameters()
    x = normal(2, 8, 5, 5)
    scale = (1 + 1e-5) ** -0.5  # of an untrained norm while evaluating
    total = torch.zeros_like(x)
    for group in range(3):
        own = slice(2 * group, 2 * group + 2)
        y = F.relu(scale * F.conv2d(x, w1[own]))
        y = F.relu(scale * F.conv2d(y, w2[own], padding=1))
        total += F.conv2d(y, w3[:, own])
    torch.testing.assert_close(block(x), F.relu(scale * total + x))


def test_with_the_last_gamma_at_zero_a_block_is_the_identity() -> None:
    block = ResNeXtBlock(8, 8, inner_channels=4, groups=2)
    zero_last_norms(block)
    x = normal(2, 8, 5, 5, dtype=torch.float32).abs()
    assert torch.equal(block(x), x)


def test_channels_that_do_not_divide_into_groups_are_refused() -> None:
    with pytest.raises(ConfigError, match="7 inner channels do not divide into 2 groups"):
        ResNeXtBlock(8, 8, inner_channels=7, groups=2)


def test_more_groups_of_fewer_channels_have_fewer_weights() -> None:
    counts: list[int] = []
    for groups, group_width in ((1, 128), (32, 4)):
        config = ResNeXtConfig(depths=(1,), groups=groups, group_width=group_width)
        with torch.device("meta"):
            counts.append(num_parameters(ResNeXt(config)))
    assert counts[0] - counts[1] == 128 * 9 * (128 - 4)


@settings(max_examples=20)
@given(
    st.lists(st.integers(1, 2), min_size=1, max_size=3),
    st.integers(1, 8),
    st.integers(1, 4),
    st.integers(1, 4),
    st.integers(1, 33),
)
def test_any_legal_settings_run_on_any_size(
    depths: list[int], width: int, groups: int, group_width: int, size: int
) -> None:
    config = ResNeXtConfig(
        num_classes=3,
        depths=tuple(depths),
        width=width,
        groups=groups,
        group_width=group_width,
        stem="small",
        conv_bias=True,
        zero_init_residual=True,
    )
    with torch.device("meta"):
        assert ResNeXt(config)(torch.zeros(2, 3, size, size)).shape == (2, 3)
