"""ResNet is the papers' table, and its blocks contain the identity."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812 - the field's own name for it
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from convlens.models.catalog import num_parameters
from convlens.models.resnet import Bottleneck, ResidualBlock, ResNet, ResNetConfig
from convlens.nn.residual import ResidualSum, zero_last_norms
from convlens.nn.stem import StemName
from tests.strategies import normal

TINY = ResNetConfig(in_channels=1, num_classes=3, width=4, depths=(1, 2))


def counted(config: ResNetConfig) -> int:
    with torch.device("meta"):
        return num_parameters(ResNet(config))


def test_the_basic_block_is_its_formula() -> None:
    block = ResidualBlock(3, 6, stride=2).double().eval()
    w1, _, _, w2, _, _, w3, _, _ = block.parameters()
    x = normal(2, 3, 7, 7)

    def norm(y: Tensor) -> Tensor:  # of an untrained norm while evaluating
        return y / (1 + 1e-5) ** 0.5

    y = norm(F.conv2d(F.relu(norm(F.conv2d(x, w1, stride=2, padding=1))), w2, padding=1))
    torch.testing.assert_close(block(x), F.relu(y + norm(F.conv2d(x, w3, stride=2))))


BLOCKS: list[ResidualSum] = [
    ResidualBlock(8, 8),
    ResidualBlock(8, 8, bias=True),
    Bottleneck(8, 8, inner_channels=2),
]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: type(block).__name__)
def test_with_the_last_gamma_at_zero_a_block_is_the_identity_of_what_is_not_negative(
    block: ResidualSum, training: bool
) -> None:
    zero_last_norms(block)
    x = normal(2, 8, 5, 5, dtype=torch.float32).abs()
    assert torch.equal(block.train(training)(x), x)


@pytest.mark.parametrize(
    ("stride", "in_channels", "size"), [(1, 6, 7), (1, 3, 7), (2, 3, 4), (2, 6, 4)]
)
def test_a_block_keeps_height_and_width_or_halves_them_rounding_up(
    stride: int, in_channels: int, size: int
) -> None:
    x = torch.zeros(4, in_channels, 7, 7)
    assert ResidualBlock(in_channels, 6, stride=stride)(x).shape == (4, 6, size, size)
    block = Bottleneck(in_channels, 6, inner_channels=2, stride=stride)
    assert block(x).shape == (4, 6, size, size)


def test_a_shortcut_has_weights_only_where_the_shape_changes() -> None:
    assert isinstance(ResidualBlock(6, 6).shortcut, nn.Identity)
    assert num_parameters(ResidualBlock(6, 6, stride=2).shortcut) == 6 * 6 + 12
    block = ResidualBlock(3, 6, bias=True, shortcut_norm=False)
    assert num_parameters(block.shortcut) == 3 * 6 + 6  # as in d2l


def test_zero_init_starts_every_block_without_its_residual() -> None:
    model = ResNet(
        ResNetConfig(in_channels=1, num_classes=3, width=4, depths=(2, 2), zero_init_residual=True)
    )
    blocks = [part for part in model.modules() if isinstance(part, ResidualBlock)]
    assert len(blocks) == 4
    for block in blocks:
        assert not block.residual.unit2.norm.weight.any()  # type: ignore[union-attr]
        assert block.residual.unit1.norm.weight.all()  # type: ignore[union-attr]


@settings(max_examples=25)
@given(
    st.sampled_from(["basic", "bottleneck"]),
    st.lists(st.integers(1, 3), min_size=1, max_size=4),
    st.integers(1, 8),
    st.sampled_from(["imagenet", "small"]),
    st.integers(1, 40),
    st.booleans(),
)
def test_any_legal_settings_run_on_any_size(
    block: str, depths: list[int], width: int, stem: StemName, size: int, bias: bool
) -> None:
    config = ResNetConfig(
        in_channels=2,
        num_classes=3,
        block="basic" if block == "basic" else "bottleneck",
        depths=tuple(depths),
        width=width,
        stem=stem,
        conv_bias=bias,
        shortcut_norm=not bias,
    )
    with torch.device("meta"):
        assert ResNet(config)(torch.zeros(2, 2, size, size)).shape == (2, 3)


def test_the_small_stem_keeps_every_pixel() -> None:
    model = ResNet(ResNetConfig(in_channels=1, width=4, stem="small"))
    x = torch.zeros(1, 1, 28, 28)
    assert model.stem(x).shape == (1, 4, 28, 28)
    assert model.body(model.stem(x)).shape == (1, 32, 4, 4)


def test_a_wider_bottleneck_has_more_inside_and_the_same_outside() -> None:
    narrow, wide = (
        ResNetConfig(block="bottleneck", depths=(1,), bottleneck_width=width) for width in (1, 2)
    )
    assert counted(wide) > counted(narrow)
    assert ResNet(wide).head.linear.in_features == 256  # type: ignore[union-attr]
